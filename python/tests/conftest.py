"""What tests share: the program beside the package, and fresh random numbers."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table from the environment, and no cards."""
    monkeypatch.delenv("ETNAS_TABLE", raising=False)
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(scope="session")
def program() -> str:
    """The program of the command line: ETNAS_FAST, or the one that was built last."""
    if named := os.environ.get("ETNAS_FAST"):
        return named
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = sorted(target.glob("*/etnas-fast"), key=lambda path: path.stat().st_mtime)
    if not built:
        pytest.skip("etnas-fast is not built: `cargo build --release` makes it, or ETNAS_FAST names one")
    return str(built[-1])


@pytest.fixture
def etnas_fast(program: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the program."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def lines(etnas_fast: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., list[dict[str, Any]]]:
    """The records that the program gives."""

    def run(*arguments: object) -> list[dict[str, Any]]:
        done = etnas_fast(*arguments, "--format", "jsonl", "--quiet")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    """Fresh numbers; the seed is printed where a test fails."""
    seed = secrets.randbits(32)
    print("seed", seed)
    return np.random.default_rng(seed)


def distinct(rng: np.random.Generator, count: int) -> list[int]:
    """Distinct cells."""
    return [int(index) for index in rng.choice(15_625, count, replace=False)]
