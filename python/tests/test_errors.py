"""What is wrong is told in the sentence of the command line, as an exception of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

import etnas

Program = Callable[..., Any]


def engine(**options: Any) -> Callable[[], Any]:
    return lambda: etnas.Engine(**options)


def score(cell: Any, measures: Any = "degree", encoding: str = "arch") -> Callable[[], Any]:
    return lambda: etnas.Engine(batch=4).score(cell, measures, encoding=encoding)


CASES: list[tuple[Callable[[], Any], type[Exception], tuple[object, ...]]] = [
    (score("cell"), etnas.CellError, ("score", "cell")),
    (score("|none~0|+|none~0|"), etnas.CellError, ("score", "|none~0|+|none~0|")),
    (score("64:64:32:16:8"), etnas.CellError, ("score", "64:64:32:16:8")),
    (score(""), etnas.CellError, ("score", "")),
    (score(-1), etnas.CellError, ("score", "-1")),
    (score(15_625), etnas.CellError, ("score", "15625")),
    (score(10**30), etnas.CellError, ("score", str(10**30))),
    (score("1,2,3", encoding="ops"), etnas.CellError, ("score", "--encoding=ops", "1,2,3")),
    (score(5, encoding="op"), etnas.OptionsError, ("score", "--encoding=op", "5")),
    (score(5, "nawsot"), etnas.OptionsError, ("score", "5", "--measures=nawsot")),
    (engine(dataset="cifar-10"), etnas.OptionsError, ("score", "5", "--dataset=cifar-10")),
    (engine(device="cudaa"), etnas.OptionsError, ("score", "5", "--device=cudaa")),
    (engine(device="cuda:7"), etnas.DeviceError, ("score", "5", "--device=cuda:7")),
    (engine(init="xavier"), etnas.OptionsError, ("score", "5", "--init=xavier")),
    (engine(precision="f64"), etnas.OptionsError, ("score", "5", "--precision=f64")),
    (engine(batch=0), etnas.OptionsError, ("score", "5", "--batch=0")),
    (engine(batch=1.5), etnas.OptionsError, ("score", "5", "--batch=1.5")),
    (engine(batch=129), etnas.DataError, ("score", "5", "--batch=129")),
    (engine(threads=2000), etnas.OptionsError, ("score", "5", "--threads=2000")),
    (engine(repeats=-3), etnas.OptionsError, ("score", "5", "--repeats=-3")),
    (engine(seed=-1), etnas.OptionsError, ("score", "5", "--seed=-1")),
    (engine(data_seed=2**64), etnas.OptionsError, ("score", "5", f"--data-seed={2**64}")),
    (engine(images="nowhere/data_batch_1.bin"), etnas.MissingFileError, ("score", "5", "--data=nowhere/data_batch_1.bin")),
    (engine(images=Path("noise")), etnas.MissingFileError, ("score", "5", "--data=./noise")),
    (engine(weights="absent.safetensors"), etnas.MissingFileError, ("score", "5", "--weights=absent.safetensors")),
    (
        lambda: etnas.Engine(batch=1).score(5, "naswot"),
        etnas.OptionsError,
        ("score", "5", "--batch=1", "--measures=naswot"),
    ),
    (lambda: etnas.search(cycles=19), etnas.OptionsError, ("search", "--cycles=19")),
    (lambda: etnas.search("etnas"), etnas.OptionsError, ("search", "--method=etnas")),
    (lambda: etnas.search("rea-naswot", cycles=70), etnas.OptionsError, ("search", "--method=rea-naswot", "--cycles=70")),
    (lambda: etnas.search("rea"), etnas.DataError, ("search", "--method=rea")),
    (lambda: etnas.search(runs=0), etnas.OptionsError, ("search", "--runs=0")),
    (lambda: etnas.search(scores="absent.csv"), etnas.MissingFileError, ("search", "--scores=absent.csv")),
    (lambda: etnas.search(scores="a.csv", batch=3), etnas.OptionsError, ("search", "--batch=3", "--scores=a.csv")),
    (lambda: etnas.accuracy(5, table="absent.csv"), etnas.MissingFileError, ("search", "--table=absent.csv")),
    (lambda: etnas.convert("3,0,1,0,0,4"), etnas.OptionsError, ("convert", "3,0,1,0,0,4")),
    (lambda: etnas.convert(9930, "opps"), etnas.OptionsError, ("convert", "9930", "--to=opps")),
    (lambda: etnas.convert("9930", source="arch"), etnas.OptionsError, ("convert", "9930", "--from=arch")),
]


@pytest.mark.parametrize("case", CASES, ids=[" ".join(map(str, case[2]))[:60] for case in CASES])
def test_the_sentence_is_the_command_lines(case: Any, etnas_fast: Program, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    call, kind, arguments = case
    done = etnas_fast(*arguments)
    with pytest.raises(kind) as refused:
        call()
    assert type(refused.value) is kind
    assert done.returncode != 0
    assert f"error: {refused.value}" == done.stderr.splitlines()[0]


def test_a_damaged_file(etnas_fast: Program, tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(bytes(3073 * 4 - 1))
    with pytest.raises(etnas.DataError) as refused:
        etnas.Engine(images=path)
    assert f"error: {refused.value}\n" == etnas_fast("score", 5, f"--data={path}").stderr


def test_kinds_are_pythons_own() -> None:
    for kind, own in (
        (etnas.OptionsError, ValueError),
        (etnas.CellError, ValueError),
        (etnas.DataError, ValueError),
        (etnas.FileError, OSError),
        (etnas.MissingFileError, FileNotFoundError),
        (etnas.DeviceError, RuntimeError),
        (etnas.InternalError, RuntimeError),
    ):
        assert issubclass(kind, own) and issubclass(kind, etnas.Error)
    with pytest.raises(TypeError, match="mesures"):
        etnas.Engine(mesures=5)  # type: ignore[call-arg]


def test_standard_input_is_not_read() -> None:
    for call in (lambda: etnas.convert("-"), lambda: etnas.Engine(batch=4).score("-")):
        with pytest.raises(etnas.CellError, match="malformed at position 0"):
            call()
    with pytest.raises(etnas.CellError):
        etnas.convert("--help")
