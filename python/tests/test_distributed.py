"""Sweeps and searches on a real local Ray cluster, whose workers are killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import distinct

import etnas

ray = pytest.importorskip("ray", reason="Ray is not installed: `pip install etnas[ray]`")
pytest.importorskip("psutil", reason="psutil is not installed: python/tests/requirements-ray.txt has it")
from processes import running  # noqa: E402

from etnas import distributed  # noqa: E402

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Ray's workers are polite to the rest of the machine (nice 15), which a busy one makes them pay for.
    os.environ["RAY_worker_niceness"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def by_program(program: Program, out: Path, cells: list[int], *options: object) -> bytes:
    done = program("score", *cells, *options, "--format", "jsonl", "-o", out, "--quiet")
    assert done.returncode == 0, done.stderr
    return out.read_bytes() + Path(f"{out}.meta.json").read_bytes()


def both(out: Path) -> bytes:
    return out.read_bytes() + Path(f"{out}.meta.json").read_bytes()


def test_a_sweep_has_the_programs_bytes_though_workers_are_killed(
    etnas_fast: Program, rng: np.random.Generator, tmp_path: Path
) -> None:
    cells, seed, out = distinct(rng, 40), int(rng.integers(2**32)), tmp_path / "ray.jsonl"
    killed: list[int] = []

    def kill(count: int, of: int) -> None:
        assert of == 40
        if count >= 6 * (1 + 2 * len(killed)) and len(killed) < 2:
            (pid, *_) = running("ray::_Worker")
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    done = distributed.sweep(
        cells, ["naswot", "log-synflow", "macs"], out, workers=2, chunk=3, batch=4, seed=seed, device="cpu", progress=kill
    )
    assert len(killed) == 2 and done.lost == 2
    assert (done.cells, done.resumed) == (40, 0)
    expected = by_program(
        etnas_fast, tmp_path / "one.jsonl", cells, "--measures", "naswot,log-synflow,macs", "--batch", 4, "--seed", seed, "--device", "cpu"
    )
    assert both(out) == expected
    told = json.loads(Path(f"{out}.workers.json").read_text())
    assert told["lost"] == 2 and sum(worker["cells"] for worker in told["workers"]) == 40
    for worker in told["workers"]:
        assert worker["backend"] == "cpu" and worker["kernel_set"] == done.meta["configuration"]["kernel_set"]


def test_a_broken_off_sweep_is_gone_on_with_here_and_by_the_program(
    etnas_fast: Program, rng: np.random.Generator, tmp_path: Path
) -> None:
    cells, out = distinct(rng, 12), tmp_path / "ray.jsonl"
    options = ("--measures", "log-synflow", "--batch", 4, "--repeats", 2)
    expected = by_program(etnas_fast, tmp_path / "one.jsonl", cells, *options)
    sweep: dict[str, Any] = {"measures": "log_synflow", "out": out, "workers": 1, "chunk": 2, "batch": 4, "repeats": 2}

    class Enough(Exception):
        pass

    def stop(count: int, _: int) -> None:
        if count >= 4:
            raise Enough

    with pytest.raises(Enough):
        distributed.sweep(cells, **sweep, progress=stop)
    meta = json.loads(Path(f"{out}.meta.json").read_text())
    assert (meta["cells"], meta["complete"]) == (4, False)
    with open(out, "ab") as torn:
        torn.write(b'{"index":1')
    begun = both(out)
    # Other options, and no leave to go on.
    with pytest.raises(etnas.OptionsError, match="configuration.seeds.master"):
        distributed.sweep(cells, **sweep, seed=1)
    with pytest.raises(etnas.OptionsError, match="resume=True"):
        distributed.sweep(cells, **sweep, resume=False)
    assert both(out) == begun
    by_hand = tmp_path / "hand.jsonl"
    by_hand.write_bytes(out.read_bytes())
    Path(f"{by_hand}.meta.json").write_bytes(Path(f"{out}.meta.json").read_bytes())

    done = distributed.sweep(cells, **sweep)
    assert (done.resumed, done.cells) == (4, 12) and both(out) == expected
    assert by_program(etnas_fast, by_hand, cells, *options, "--resume") == expected
    # All is there: nothing is computed, and nothing changes.
    assert distributed.sweep(cells, **sweep).resumed == 12 and both(out) == expected


def test_workers_of_two_kernel_sets_are_refused_unless_told(rng: np.random.Generator, tmp_path: Path, monkeypatch: Any) -> None:
    class _Worker(distributed._Worker):
        """Claims another kernel set where its environment says so."""

        def about(self) -> dict[str, Any]:
            about: dict[str, Any] = super().about()
            about["configuration"]["kernel_set"] += os.environ.get("ETNAS_TEST_CLAIM", "")
            return about

    monkeypatch.setattr(distributed, "_Worker", _Worker)
    cells, out = distinct(rng, 200), tmp_path / "ray.jsonl"
    places = [{"num_cpus": 1}, {"num_cpus": 1, "runtime_env": {"env_vars": {"ETNAS_TEST_CLAIM": ", another"}}}]
    sweep: dict[str, Any] = {"measures": "naswot", "out": out, "workers": places, "chunk": 1, "in_flight": 1, "batch": 4, "threads": 1}
    # Both on one file, at once and one after the other.
    with pytest.raises(etnas.OptionsError, match="one backend and kernel set"):
        distributed.sweep(cells, **{**sweep, "measures": "loss_slope", "images": "noise"})
    distributed.sweep(cells[:2], **{**sweep, "workers": places[:1]}, force=True)
    with pytest.raises(etnas.OptionsError, match="kernel_set|one backend and kernel set"):
        distributed.sweep(cells, **{**sweep, "workers": places[1:]})
    done = distributed.sweep(cells, **{**sweep, "workers": places[1:]}, allow_mixed=True)
    own = etnas.Engine(batch=4, threads=1, device="cpu").configuration["kernel_set"]
    assert done.resumed == 2 and done.meta["configuration"]["kernel_set"] == f"{own} + {own}, another"
    assert [worker["kernel_set"] for worker in done.workers] == [f"{own}, another"]


def test_what_kills_every_worker_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    class _Worker(distributed._Worker):
        """Dies of one cell."""

        def score(self, indices: list[int], measures: list[str] | None) -> str:
            if 7 in indices:
                os.kill(os.getpid(), signal.SIGKILL)
            return str(super().score(indices, measures))

    monkeypatch.setattr(distributed, "_Worker", _Worker)
    out = tmp_path / "ray.jsonl"
    with pytest.raises(etnas.DeviceError, match="survives cell 7, found 2 that died of it"):
        distributed.sweep([5, 7, 9], "degree", out, workers=1, chunk=1, batch=4, losses=1)
    assert [json.loads(line)["index"] for line in out.read_text().splitlines()] == [5]
    assert json.loads(Path(f"{out}.meta.json").read_text())["complete"] is False


def test_refusals_have_their_sentence_and_leave_nothing(tmp_path: Path) -> None:
    out = tmp_path / "ray.jsonl"
    for error, match, measures, options in [
        (etnas.OptionsError, "Did you mean naswot", "nawsot", {}),
        (etnas.OptionsError, "utopian", "utopian", {}),
        (etnas.OptionsError, "found bacth", "naswot", {"bacth": 3}),
        (etnas.OptionsError, "exactly one cell", "naswot", {"weights": "x.safetensors"}),
        (etnas.FileError, "nowhere", "naswot", {"images": str(tmp_path / "nowhere")}),
    ]:
        with pytest.raises(error, match=match):
            distributed.sweep([1, 2], measures, out, workers=1, **options)
        assert list(tmp_path.iterdir()) == []


def test_a_trajectory_of_runs_that_are_spread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(etnas.OptionsError, match="expected no trajectory"):
        distributed.search_runs(runs=2, workers=1, batch=2, trajectory=tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "weights_per_run", "sizes"),
    [
        ("et-nas", False, {"population": 3, "sample": 2, "cycles": 4}),
        ("et-nas", False, {"preset": "algorithm1", "population": 3, "sample": 2, "cycles": 4}),
        ("rea-naswot", True, {"population": 4, "sample": 2, "evaluations": 10}),
    ],
)
def test_runs_of_a_search_are_those_of_one_machine(
    rng: np.random.Generator, method: str, weights_per_run: bool, sizes: dict[str, int]
) -> None:
    options: dict[str, Any] = {
        "method": method, "weights_per_run": weights_per_run, **sizes, "batch": 2, "seed": int(rng.integers(2**32)), "threads": 1
    }
    killed: list[int] = []

    def kill(_: int, __: int) -> None:
        if not killed:
            killed.append(running("ray::_Worker")[0])
            os.kill(killed[0], signal.SIGKILL)

    spread = distributed.search_runs(runs=5, runs_at_a_time=2, workers=2, progress=kill, **options)
    alone = etnas.search(runs=5, **options)
    for run in [*spread, *alone]:
        del run["seconds"]
    assert list(spread) == list(alone) and killed
    assert (spread.meta, spread.mean, spread.std, spread.n) == (alone.meta, alone.mean, alone.std, alone.n)
    assert len({run["arch"] for run in alone}) > 1
    # Any part of them, as an array of jobs takes it.
    (third,) = etnas.search(runs=1, first_run=2, **options)
    del third["seconds"]
    assert third == alone[2]
