"""Searches are the command line's, accuracies and encodings too."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

import etnas

Program = Callable[..., Any]


def timeless(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in run.items() if key != "seconds"} for run in runs]


def of_command(etnas_fast: Program, *arguments: object) -> dict[str, Any]:
    done = etnas_fast("search", *arguments, "--format", "json", "--quiet")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_search_is_the_command_lines(etnas_fast: Program, rng: np.random.Generator) -> None:
    seed = int(rng.integers(2**32))
    options = {"population": 4, "sample": 2, "cycles": 8, "batch": 8, "seed": seed}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    expected = of_command(etnas_fast, *arguments, "--runs=2")
    found = etnas.search(runs=2, **options)  # type: ignore[arg-type]
    assert timeless(found) == timeless(expected["runs"]) and len(found) == 2
    assert (found.meta, found.mean, found.std, found.n) == tuple(expected[key] for key in ("meta", "mean", "std", "n"))
    # An engine gives the same, and remembers its scores for the next one.
    engine = etnas.Engine(batch=8, seed=seed)
    given = {"population": 4, "sample": 2, "cycles": 8}
    assert timeless(etnas.search(engine=engine, runs=2, **given)) == timeless(found)  # type: ignore[arg-type]
    other = etnas.search("free-rea", engine=engine, search_seed=5, population=4, sample=2, evaluations=6)
    expected = of_command(
        etnas_fast, "--method=free-rea", "--batch=8", f"--seed={seed}", "--search-seed=5", "--population=4", "--sample=2",
        "--evaluations=6",
    )  # fmt: skip
    assert timeless(other) == timeless(expected["runs"])


def test_weights_per_run_and_algorithm1(etnas_fast: Program) -> None:
    options = {"preset": "algorithm1", "population": 3, "sample": 2, "cycles": 4, "batch": 4}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    expected = of_command(etnas_fast, *arguments, "--runs=2", "--weights-per-run")
    found = etnas.search(runs=2, weights_per_run=True, **options)  # type: ignore[arg-type]
    assert timeless(found) == timeless(expected["runs"])
    assert found[0]["weight_seed"] != found[1]["weight_seed"]


def test_algorithm1_on_an_engine(etnas_fast: Program) -> None:
    options = {"preset": "algorithm1", "population": 3, "sample": 2, "cycles": 4}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    engine = etnas.Engine(batch=4)
    for more, flags in (({}, []), ({"weights_per_run": True}, ["--weights-per-run"])):
        expected = of_command(etnas_fast, *arguments, "--batch=4", "--runs=2", *flags)
        found = etnas.search(engine=engine, runs=2, **options, **more)  # type: ignore[arg-type]
        assert timeless(found) == timeless(expected["runs"]) and found.meta == expected["meta"]
    assert found.meta["configuration"]["slope_fit"] == "algorithm1"
    # The engine itself stays as it was.
    assert engine.configuration["slope_fit"] == "reference"
    reference = etnas.search(engine=engine, **{**options, "preset": "reference"})  # type: ignore[arg-type]
    assert reference.meta["configuration"] == engine.configuration


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_trajectories_are_the_command_lines(etnas_fast: Program, tmp_path: Path, ending: str) -> None:
    def rows(path: Path) -> list[dict[str, Any]]:
        text = path.read_text()
        lines = csv.DictReader(text.splitlines()) if ending == "csv" else map(json.loads, text.splitlines())
        return timeless(list(lines))

    options = {"population": 3, "sample": 2, "cycles": 4}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    expected, given, alone = (tmp_path / f"{name}.{ending}" for name in ("expected", "given", "alone"))
    of_command(etnas_fast, *arguments, "--batch=4", "--runs=2", f"--trajectory={expected}")
    etnas.search(engine=etnas.Engine(batch=4), runs=2, trajectory=given, **options)  # type: ignore[arg-type]
    found = etnas.search(batch=4, runs=2, trajectory=str(alone), **options)  # type: ignore[arg-type]
    assert rows(given) == rows(alone) == rows(expected) and len(rows(given)) > 8
    assert json.loads((tmp_path / f"given.{ending}.meta.json").read_text()) == found.meta
    with pytest.raises(etnas.OptionsError, match="ends in .csv or .jsonl"):
        etnas.search(batch=4, trajectory=tmp_path / "t.txt")
    with pytest.raises(etnas.FileError):
        etnas.search(batch=4, trajectory=tmp_path / "none" / f"t.{ending}")


def test_deviations_over_repeats(etnas_fast: Program) -> None:
    options = {"batch": 4, "repeats": 2, "evaluations": 3}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    expected = of_command(etnas_fast, "--method=random-naswot", *arguments)
    found = etnas.search("random-naswot", **options)  # type: ignore[arg-type]
    assert timeless(found) == timeless(expected["runs"]) and found[0]["score_std"] > 0


def test_images_of_a_search(rng: np.random.Generator) -> None:
    images = rng.standard_normal((6, 3, 32, 32)).astype(np.float32)
    engine = etnas.Engine(images=images, batch=6)
    options = {"population": 3, "sample": 2, "cycles": 4}
    own = etnas.search(images=images, batch=6, **options)  # type: ignore[arg-type]
    assert timeless(own) == timeless(etnas.search(engine=engine, **options))  # type: ignore[arg-type]
    assert own.meta["configuration"] == engine.configuration


def test_scores_and_accuracies_of_files(etnas_fast: Program, tmp_path: Path, rng: np.random.Generator) -> None:
    scores, table = tmp_path / "scores.csv", tmp_path / "table.csv"
    naswot, accuracies = rng.standard_normal(15_625), rng.uniform(10, 95, 15_625)
    scores.write_text("index,naswot\n" + "".join(f"{i},{float(x)!r}\n" for i, x in enumerate(naswot)))
    table.write_text("arch_index,cifar100_test200\n" + "".join(f"{i},{float(x)!r}\n" for i, x in enumerate(accuracies)))
    arguments = ["--method=rea-naswot", f"--scores={scores}", f"--table={table}", "--dataset=cifar100", "--runs=3"]
    expected = of_command(etnas_fast, *arguments)
    found = etnas.search("rea-naswot", scores=scores, table=table, dataset="cifar100", runs=3)
    assert timeless(found) == timeless(expected["runs"]) and found.mean == expected["mean"]
    for run in found:
        assert run["test_accuracy"] == accuracies[run["index"]] == etnas.accuracy(run["arch"], "cifar100", table)
    with pytest.raises(etnas.OptionsError, match="neither an engine nor images"):
        etnas.search("rea-naswot", scores=scores, engine=etnas.Engine("cifar100", batch=4))
    with pytest.raises(etnas.OptionsError, match="found batch"):
        etnas.search(engine=etnas.Engine(batch=4), batch=4)


def test_accuracies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert etnas.accuracy(9930) == pytest.approx(94.36, abs=0.005)
    assert etnas.accuracy(5) is None
    table = etnas.Accuracies()
    assert "compiled in" in table.source and table.rank(9930) is None
    values = table.lookup([9930, 5], "cifar100")
    assert values[0] == table["cifar100_test200"][9930] and np.isnan(values[1])
    assert set(table.columns) >= {"cifar10_test200", "cifar100_test200"}
    with pytest.raises(KeyError):
        table["test"]
    path = tmp_path / "t.csv"
    path.write_text("arch_index,cifar10_test200\n" + "".join(f"{i},{i / 200}\n" for i in range(15_625)))
    monkeypatch.setenv("ETNAS_TABLE", str(path))
    assert etnas.Accuracies().rank(15_620) == 5 and etnas.accuracy("15620") == 78.1


def test_encodings(etnas_fast: Program, rng: np.random.Generator) -> None:
    index = int(rng.integers(15_625))
    every = etnas.convert(index, "all")
    for name in ("arch", "index", "ops", "naslib"):
        plain = etnas_fast("convert", index, "--to", name, "--format", "plain").stdout.strip()
        assert str(every[name]).strip("()").replace(" ", "") == plain.strip("()").replace(" ", "")
        assert etnas.convert(index, name) == every[name]
        assert etnas.convert(every[name], "index", source=name) == index
    assert etnas.convert(np.int64(index)) == every["arch"] == etnas.convert(np.array(every["ops"]), source="ops")
