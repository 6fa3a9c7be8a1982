"""Records, metadata and files of sweeps have the program's bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from conftest import distinct

import etnas
from etnas import _records
from etnas._sweep_file import SweepFile


def test_numbers_are_written_as_the_program_does(etnas_fast: Callable[..., Any], rng: np.random.Generator, tmp_path: Path) -> None:
    # Any bits, and the decades in which Python and the program turn to powers of ten.
    values = [v for v in rng.integers(0, 2**64, 500, dtype=np.uint64).view(np.float64).tolist() if math.isfinite(v)]
    digits = ("1", "1.234", "9.87654321012345")
    values += [sign * float(f"{digit}e{power}") for sign in (1, -1) for digit in digits for power in range(-8, 20)]
    table = tmp_path / "scores.csv"
    table.write_text("index,x\n" + "".join(f"{index},{value!r}\n" for index, value in enumerate(values)))
    done = etnas_fast("rank", table, "--by", "x", "--format", "jsonl", "--top", len(values), "--quiet")
    assert done.returncode == 0, done.stderr
    texts = {json.loads(line)["index"]: line.split('"x":')[1].split(",")[0].rstrip("}") for line in done.stdout.splitlines()}
    assert texts == {index: _records.number(value, False) for index, value in enumerate(values)}
    assert [_records.number(v, True) for v in (3.0, 0.0, math.nan)] == ["3", "0", "null"]
    assert [_records.number(v, False) for v in (3.0, -math.inf)] == ["3.0", "null"]


@pytest.mark.parametrize("repeats", [1, 2])
def test_lines_are_the_programs(etnas_fast: Callable[..., Any], rng: np.random.Generator, repeats: int) -> None:
    # Among them a cell without a way through, and every measure of single cells but the dear one.
    cells = [*distinct(rng, 3), 1462]
    measures = [name for name in etnas.MEASURES if name not in ("utopian", "loss_slope")]
    seed = int(rng.integers(2**32))
    found = etnas.Engine(batch=3, seed=seed, repeats=repeats, threads=1).score(cells, measures)
    names = ",".join(etnas.MEASURES[key].name for key in measures)
    options = ("--batch", 3, "--seed", seed, "--repeats", repeats, "--measures", names)
    done = etnas_fast("score", *cells, *options, "--format", "jsonl", "--quiet")
    assert done.stdout and _records.lines(found, "cifar10") == done.stdout
    assert list(json.loads(done.stdout.splitlines()[0])) == _records.keys(found)


def swept(program: Callable[..., Any], out: Path, cells: list[int]) -> dict[str, Any]:
    done = program("score", *cells, "--measures", "degree,params", "--format", "jsonl", "-o", out, "--quiet")
    assert done.returncode == 0, done.stderr
    meta: dict[str, Any] = json.loads(out.with_name(out.name + ".meta.json").read_text())
    return meta


def test_metadata_are_laid_out_as_the_program_does(etnas_fast: Callable[..., Any], rng: np.random.Generator, tmp_path: Path) -> None:
    out, cells = tmp_path / "a.jsonl", distinct(rng, 2)
    meta = swept(etnas_fast, out, cells)
    assert _records.pretty(meta) == (tmp_path / "a.jsonl.meta.json").read_text()
    assert meta["selection"]["sha256"] == _records.fingerprint(cells)


def test_a_half_written_file_is_gone_on_with(etnas_fast: Callable[..., Any], rng: np.random.Generator, tmp_path: Path) -> None:
    out, cells = tmp_path / "a.jsonl", distinct(rng, 6)
    meta = swept(etnas_fast, out, cells)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    begun = {**meta, "cells": None, "complete": False}
    for torn in (b"", lines[3][:20], b"\0\0\0\n"):
        out.write_bytes(b"".join(lines[:3]) + torn)
        file = SweepFile(out, resume=True, force=False)
        known = file.metadata()
        assert known is not None and file.keep(known, begun, cells) == 3
        # Nobody else may write meanwhile, the program neither.
        with pytest.raises(etnas.OptionsError, match="a running process is writing"):
            SweepFile(out, resume=True, force=False)
        done = etnas_fast("score", *cells, "--measures", "degree,params", "--format", "jsonl", "-o", out, "--resume", "--quiet")
        assert done.returncode == 2 and "a running process is writing" in done.stderr
        file.append(b"".join(lines[3:]).decode(), begun)
        file.finish(meta)
        file.close()
        assert out.read_bytes() == whole
        assert out.with_name("a.jsonl.meta.json").read_text() == _records.pretty(meta)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.meta.json"]


def test_files_of_other_sweeps_are_refused_and_stay(etnas_fast: Callable[..., Any], rng: np.random.Generator, tmp_path: Path) -> None:
    out, cells = tmp_path / "a.jsonl", distinct(rng, 6)
    begun = {**swept(etnas_fast, out, cells), "cells": None, "complete": False}
    whole = out.read_bytes()

    def refused(match: str, ours: dict[str, Any], asked: list[int]) -> None:
        file = SweepFile(out, resume=True, force=False)
        known = file.metadata()
        assert known is not None
        with pytest.raises(etnas.Error, match=match):
            file.keep(known, ours, asked)
        file.close()
        assert out.read_bytes() == whole

    other = json.loads(json.dumps(begun))
    other["configuration"]["seeds"]["weight"] += 1
    refused("configuration.seeds.weight", other, cells)
    refused("expected as record 1 that of cell", begun, cells[::-1])
    refused("expected as record 6 none", begun, cells[:5])
    with pytest.raises(etnas.OptionsError, match="does not exist yet"):
        SweepFile(out, resume=False, force=False)
    out.with_name("a.jsonl.meta.json").unlink()
    file = SweepFile(out, resume=True, force=False)
    with pytest.raises(etnas.DataError, match="expected its metadata"):
        file.metadata()
    file.close()
    SweepFile(tmp_path / "new.jsonl", resume=True, force=False).close()
    assert not (tmp_path / "new.jsonl").exists()
