"""An engine within a running program: signals, the interpreter's lock, other processes, memory, types."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import distinct

import etnas

MEASURES = ["naswot", "log_synflow"]

INTERRUPTED = """
import signal, sys, time
import etnas

engine = etnas.Engine(threads=1)
before = engine.score(9930, "naswot")["naswot"].tolist()
print("ready", flush=True)
try:
    for _ in range(1000):
        WORK
except KeyboardInterrupt:
    print("interrupted", flush=True)
assert engine.score(9930, "naswot")["naswot"].tolist() == before
engine.forget()
assert engine.score(9930, "naswot")["naswot"].tolist() == before
assert len(engine.score([3, 4], "log_synflow")["log_synflow"]) == 2
print("usable", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("work", ["engine.score(range(15_625))", "etnas.search(engine=engine, runs=100_000)", "engine.losses(range(15_625))"])
def test_ctrl_c_ends_the_work_and_leaves_the_engine_usable(work: str) -> None:
    script = INTERRUPTED.replace("WORK", work)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    # The whole space would take minutes; a cell takes a fraction of a second.
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "interrupted\nusable\n"), err


def test_other_threads_go_on_meanwhile(rng: np.random.Generator) -> None:
    engine, cells = etnas.Engine(batch=32, threads=1), distinct(rng, 40)
    counted, done = 0, threading.Event()

    def work() -> None:
        engine.score(cells, ["naswot", "log_synflow"])
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        counted += 1
        time.sleep(0)
    thread.join()
    # With the lock held this loop would stand still until the work is done.
    assert counted > 100


def test_an_engine_is_pickled_with_its_images_and_weights(rng: np.random.Generator) -> None:
    cells = distinct(rng, 3)
    levels = rng.integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    for options in (
        {"images": "noise", "batch": 2, "seed": 3, "log_synflow": "one-plus", "repeats": 2},
        {"dataset": "imagenet16-120", "images": levels, "batch": 3, "data_seed": 8},
        {"images": rng.standard_normal((4, 3, 8, 8)), "batch": 3, "classes": 7},
    ):
        engine = etnas.Engine(**options)  # type: ignore[arg-type]
        again = pickle.loads(pickle.dumps(engine))
        assert again.configuration == engine.configuration and repr(again) == repr(engine)
        first, second = engine.score(cells, MEASURES), again.score(cells, MEASURES)
        assert [second[key].tobytes() for key in first] == [first[key].tobytes() for key in first]
    table = pickle.loads(pickle.dumps(etnas.Accuracies()))
    assert table.lookup(9930)[0] == etnas.accuracy(9930)


def naswot(engine: etnas.Engine, cell: int) -> float:
    return float(engine.score(cell, "naswot")["naswot"][0])


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes(method: str, rng: np.random.Generator) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    engine, cells = etnas.Engine(batch=4), distinct(rng, 4)
    expected = engine.score(cells, "naswot")["naswot"].tolist()
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(naswot, [(engine, cell) for cell in cells]) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_an_engine_works_after_a_fork(rng: np.random.Generator) -> None:
    engine, cells = etnas.Engine(batch=4), distinct(rng, 4)
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    # Not pickled: the child has the parent's object, without its threads.
    child = context.Process(target=lambda: theirs.send(engine.score(cells, "naswot")["naswot"].tolist()))
    child.start()
    expected = engine.score(cells, "naswot")["naswot"].tolist()
    assert mine.poll(60) and mine.recv() == expected
    child.join()
    assert child.exitcode == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_engines_leave_no_memory_behind(rng: np.random.Generator) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    levels = rng.integers(0, 256, (64, 3, 32, 32), dtype=np.uint8)

    def once() -> None:
        engine = etnas.Engine(images=levels, batch=64, threads=1)
        engine.score([9930, 1462], ["log_synflow", "degree"])
        pickle.loads(pickle.dumps(engine))

    for _ in range(10):
        once()
    before = resident()
    for _ in range(40):
        once()
    # The images of one engine alone are 0.8 MB as floats, the weights 7 MB.
    assert resident() - before < 30e6


def test_types_are_told(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not there")
    sample = tmp_path / "sample.py"
    sample.write_text(
        """\
import numpy as np
import numpy.typing as npt
import etnas

engine = etnas.Engine("cifar100", images=np.zeros((2, 3, 32, 32), np.uint8), batch=2)
scores: dict[str, npt.NDArray[np.generic]] = dict(engine.score([1, "2"], ["naswot"]))
losses: npt.NDArray[np.float64] = engine.losses(5)
for part in engine.stream(range(5), chunk=2):
    first: int = int(part["index"][0])
found: etnas.Runs = etnas.search("rank", engine=engine, runs=2)
mean: float | None = found.mean
better: str = etnas.MEASURES["naswot"].better
known: float | None = etnas.accuracy(9930)
"""
    )
    wrong = tmp_path / "wrong.py"
    wrong.write_text('import etnas\nengine = etnas.Engine(batch="8")\nengine.scores([1])\n')
    cache = f"--cache-dir={tmp_path}"
    check = [sys.executable, "-m", "mypy", "--strict", cache]
    # In another folder, so that the installed package is checked.
    done = subprocess.run([*check, sample], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*check, wrong], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "arg-type" in done.stdout and "attr-defined" in done.stdout, done.stdout


def test_the_stubs_are_those_of_the_native_half() -> None:
    pytest.importorskip("mypy", reason="mypy is not there")
    command = [sys.executable, "-m", "mypy.stubtest", "etnas", "--ignore-disjoint-bases"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_of_the_documentation() -> None:
    import doctest

    found: Any = doctest.testmod(etnas)
    assert found.attempted >= 4 and not found.failed
