"""Scores are the command line's, to the last bit."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable

import numpy as np
import pytest
from conftest import distinct

import etnas

Lines = Callable[..., list[dict[str, Any]]]


def same(found: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Arrays hold the records: equal bits, and where a record has null what stands for it."""
    columns = [key for key in records[0] if key != "dataset"]
    assert list(found) == columns
    for key in columns:
        absent = -np.inf if key == "naswot" else np.nan
        expected = [absent if record[key] is None else record[key] for record in records]
        if key in ("arch", "status"):
            assert found[key].tolist() == expected
            continue
        assert found[key].dtype == (np.int64 if key == "index" else np.float64)
        assert found[key].tobytes() == np.array(expected, found[key].dtype).tobytes(), key


def test_every_measure_is_the_command_lines(lines: Lines, rng: np.random.Generator) -> None:
    # Cell 0 has no way through, so that naswot is singular there in some batches.
    cells = [*distinct(rng, 2), 0, 9930]
    seed = int(rng.integers(2**32))
    engine = etnas.Engine(batch=4, seed=seed)
    options = ("--batch", 4, "--seed", seed)
    same(engine.score(cells), lines("score", *cells, *options))
    every = ",".join(measure.name for measure in etnas.MEASURES.values())
    same(engine.score(cells, list(etnas.MEASURES)), lines("score", *cells, *options, "--measures", every))
    # Names as well as keys, in any order; records keep theirs.
    few = engine.score(cells, ["macs", "log-synflow"])
    assert list(few) == ["index", "arch", "status", "log_synflow", "macs"]


def test_every_option_is_the_command_lines(lines: Lines, rng: np.random.Generator) -> None:
    cells = distinct(rng, 2)
    options: dict[str, Any] = {
        "dataset": "imagenet16-120",
        "images": "noise",
        "batch": 3,
        "classes": 7,
        "init": "kaiming-fan-out",
        "slope_init": "xavier",
        "log_synflow": "one-plus",
        "repeats": 2,
        "threads": 1,
        "device": "cpu",
        **{f"{name}_seed": int(rng.integers(2**32)) for name in ("weight", "data", "target", "noise", "search", "sample")},
    }
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if name != "images"]
    same(etnas.Engine(**options).score(cells), lines("score", *cells, *arguments, "--data=noise"))


def test_cells_in_every_form() -> None:
    engine = etnas.Engine(batch=4)
    arch = etnas.convert(9930)
    forms: list[Any] = [
        9930,
        "9930",
        arch,
        [9930],
        (arch,),
        np.int64(9930),
        np.array([9930]),
        np.array([9930], dtype=np.uint16),
        iter(["9930"]),
        {9930: None},
    ]
    for cells in forms:
        assert engine.score(cells, "degree")["index"].tolist() == [9930]
    ops, naslib = etnas.convert(9930, "ops"), etnas.convert(9930, "naslib")
    for encoding, ids in (("ops", ops), ("naslib", naslib)):
        for cells in (ids, [ids], [list(ids)], str(ids), [str(ids)], np.array([ids])):
            assert engine.score(cells, "degree", encoding=encoding)["index"].tolist() == [9930]
    for wrong in (5.0, None, [5.0], [None], True, [[1, 2]]):
        with pytest.raises(TypeError, match="A cell is an index"):
            engine.score(wrong, "degree")  # type: ignore[arg-type]


def test_no_cells_and_no_measures() -> None:
    engine = etnas.Engine(batch=4)
    nothing = engine.score([], ["naswot", "degree"])
    assert {key: array.shape for key, array in nothing.items()} == dict.fromkeys(
        ["index", "arch", "status", "naswot", "degree"], (0,)
    )
    assert list(engine.score([5], [])) == ["index", "arch", "status"]
    assert engine.losses([]).shape == (0, 10)
    assert list(engine.stream([])) == []


def test_a_stream_is_the_call_in_pieces(rng: np.random.Generator) -> None:
    cells = distinct(rng, 7)
    whole = etnas.Engine(batch=4).score(cells, ["naswot", "degree"])
    pieces = list(etnas.Engine(batch=4).stream(cells, ["naswot", "degree"], chunk=3))
    assert [len(piece["index"]) for piece in pieces] == [3, 3, 1]
    for key, array in whole.items():
        assert np.concatenate([piece[key] for piece in pieces]).tolist() == array.tolist()
    with pytest.raises(etnas.OptionsError, match="utopian, which compares all cells"):
        etnas.Engine(batch=4).stream(cells, ["utopian"])
    with pytest.raises(ValueError, match="chunk"):
        etnas.Engine(batch=4).stream(cells, chunk=0)


def test_progress_is_told_and_may_end_the_work(rng: np.random.Generator) -> None:
    engine, cells = etnas.Engine(batch=4, threads=1), distinct(rng, 40)
    told: list[tuple[int, int]] = []
    scores = engine.score(cells, "naswot", progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (40, 40) and sorted(told) == told
    assert scores["naswot"].tolist() == engine.score(cells, "naswot")["naswot"].tolist()

    def refuse(done: int, of: int) -> None:
        raise LookupError(f"{done} of {of}")

    with pytest.raises(LookupError, match="of 40"):
        engine.score(cells, "naswot", progress=refuse)
    assert engine.score(cells, "naswot")["naswot"].tolist() == scores["naswot"].tolist()


def test_losses_and_forgetting(rng: np.random.Generator) -> None:
    cells = distinct(rng, 2)
    engine = etnas.Engine(batch=4)
    losses = engine.losses(cells)
    assert losses.shape == (2, 10) and losses.dtype == np.float64
    before = engine.score(cells, "loss_slope")["loss_slope"]
    engine.forget()
    assert engine.score(cells, "loss_slope")["loss_slope"].tolist() == before.tolist()
    assert engine.losses(cells).tolist() == losses.tolist()


def test_threads_share_an_engine(rng: np.random.Generator) -> None:
    engine, cells = etnas.Engine(batch=4), distinct(rng, 8)
    alone = etnas.Engine(batch=4).score(cells, ["naswot", "log_synflow"])
    found: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.score(cells, ["naswot", "log_synflow"]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for scores in found:
        assert scores["naswot"].tobytes() == alone["naswot"].tobytes()
        assert scores["log_synflow"].tobytes() == alone["log_synflow"].tobytes()


def test_the_configuration_is_that_of_the_metadata(
    etnas_fast: Callable[..., Any], tmp_path: Any, rng: np.random.Generator
) -> None:
    seed = int(rng.integers(2**32))
    done = etnas_fast(
        "score", 5, "--measures", "degree", "--batch", 4, "--seed", seed, "--format", "json", "--quiet"
    )
    meta = json.loads(done.stdout)["meta"]
    engine = etnas.Engine(batch=4, seed=seed)
    assert engine.configuration == meta["configuration"]
    assert etnas.version == meta["version"]
    assert [measure._asdict() for measure in [engine.measures["degree"]]] == [
        {**measure, "title": "Degree"} for measure in meta["measures"]
    ]


def test_measures_know_their_direction() -> None:
    assert list(etnas.MEASURES) == [
        "naswot", "log_synflow", "synflow", "degree", "loss_slope", "utopian", "params", "macs",
    ]  # fmt: skip
    assert [m.key for m in etnas.MEASURES.values() if not m.higher_is_better] == ["utopian"]
    assert etnas.MEASURES["log_synflow"].name == "log-synflow"
    one_plus = etnas.Engine(batch=4, log_synflow="one-plus").measures["log_synflow"].definition
    assert one_plus != etnas.MEASURES["log_synflow"].definition and "ln(g + 1)" in one_plus
