"""The submission script: an array of shards and a merge give the file of one process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

SCRIPT = ROOT / "benches" / "cluster" / "slurm.sh"
#: As Slurm does it: notes what it was asked, runs a copy of the script elsewhere with the environment that it was submitted with, and prints an id.
SBATCH = """#!/usr/bin/env bash
set -euo pipefail
echo "$@" >> "$CALLS"
while [[ ${1:-} == --* ]]; do
    case $1 in --array=0-*) last=${1#--array=0-} ;; esac
    shift
done
cp "$1" "$CALLS.script"; shift
if [ -n "${last:-}" ]; then
    # In no order, as schedulers do.
    for ((i = last; i >= 0; i--)); do SLURM_ARRAY_TASK_ID=$i bash "$CALLS.script" "$@" >&2; done
    echo "4711;cluster"
else
    bash "$CALLS.script" "$@" >&2
    echo 4712
fi
"""
ASKED = ("--sample", "20", "--sample-seed", "5", "--measures", "degree,params,macs", "--batch", "3")


@pytest.fixture
def whole(program: str, tmp_path: Path) -> bytes:
    out = tmp_path / "whole.jsonl"
    subprocess.run([program, "score", *ASKED, "--format", "jsonl", "-o", out, "--quiet"], check=True)
    return out.read_bytes() + Path(f"{out}.meta.json").read_bytes()


def run(program: str, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    variables = {**clean, "OUT": str(out), "SHARDS": "3", "ETNAS": program, **environment}
    return subprocess.run(["bash", str(SCRIPT), *ASKED], env=variables, capture_output=True, text=True, check=False)


def merged(out: Path) -> bytes:
    return out.read_bytes() + Path(f"{out}.meta.json").read_bytes()


def test_without_slurm_the_shards_run_one_after_the_other(program: str, tmp_path: Path, whole: bytes) -> None:
    out = tmp_path / "out.jsonl"
    done = run(program, out, SLURM="no")
    assert done.returncode == 0, done.stderr
    assert merged(out) == whole
    # A shard that was killed over a record goes on, and the rest is not computed again.
    second = Path(f"{out}.2-3")
    second.write_bytes(second.read_bytes()[:-30])
    kept = Path(f"{out}.1-3").stat().st_mtime_ns
    done = run(program, out, SLURM="no")
    assert done.returncode == 0, done.stderr
    assert merged(out) == whole and Path(f"{out}.1-3").stat().st_mtime_ns == kept


def test_an_array_and_its_merge_are_submitted(program: str, tmp_path: Path, whole: bytes) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sbatch").write_text(SBATCH)
    (tools / "sbatch").chmod(0o755)
    out, calls = tmp_path / "out.jsonl", tmp_path / "calls"
    done = run(program, out, PATH=f"{tools}:{os.environ['PATH']}", CALLS=str(calls), SBATCH="--gpus=1 --time=1:00:00")
    assert done.returncode == 0, done.stderr
    assert merged(out) == whole
    array, merge = calls.read_text().splitlines()
    assert "--array=0-2" in array and "--gpus=1 --time=1:00:00" in array and array.endswith(" ".join(ASKED))
    assert "--dependency=afterok:4711 " in merge and done.stdout.strip() == "4712"


def test_other_schedulers_name_the_step_and_a_missing_shard_is_told(program: str, tmp_path: Path, whole: bytes) -> None:
    out = tmp_path / "out.jsonl"
    for number in ("3", "1"):
        assert run(program, out, STEP="shard", SHARD=number).returncode == 0
    done = run(program, out, STEP="merge")
    assert done.returncode != 0 and "2-3" in done.stderr and not out.exists()
    assert run(program, out, STEP="shard", SLURM_ARRAY_TASK_ID="1").returncode == 0
    assert run(program, out, STEP="merge").returncode == 0 and merged(out) == whole
    for environment, told in [({"SHARDS": "0"}, "SHARDS"), ({"STEP": "sweep"}, "STEP"), ({"OUT": ""}, "OUT"), ({"STEP": "shard"}, "SHARD")]:
        done = run(program, out, **environment)
        assert done.returncode != 0 and told in done.stderr
