"""How sweeps on Ray scale on this machine: one and two workers of a thread each, and what the driver can take.

    RAY_worker_niceness=0 python benches/cluster/scaling.py --cells 400 --rounds 3

The rounds of one and of two workers alternate, so that another load of the machine meets both. Beside wall time stand the processor seconds of
workers and driver for each cell, which such a load does not change much. Needs `pip install etnas[ray] psutil`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import ray

import etnas
from etnas import distributed

#: The class that scores, whatever stands in for it later.
_Worker = distributed._Worker


class Ready(_Worker):  # type: ignore[valid-type, misc]
    """A worker that has every score at once, so that the driver is what takes time."""

    def score(self, indices: list[int], measures: list[str] | None) -> str:
        arch = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
        line = f'"arch":"{arch}","dataset":"cifar10","status":"ok","naswot":1466.123456789012,"log_synflow":3162328.2326994683}}\n'
        return "".join(f'{{"index":{index},{line}' for index in indices)


def seconds_of_workers() -> float:
    """Processor seconds of the actors of this cluster, so far."""
    found = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "ray::" in " ".join(process.cmdline()):
                found += sum(process.cpu_times()[:2])
        except psutil.Error:
            pass
    return found


def sweep(cells: list[int], workers: int, chunk: int, folder: Path, **options: Any) -> dict[str, float]:
    """Times from the first batch that is in the file to the last, so that the start of processes is told apart."""
    marks: list[tuple[float, int, float, float]] = []

    def mark(count: int, of: int) -> None:
        if not marks or count == of:
            marks.append((time.perf_counter(), count, seconds_of_workers(), time.process_time()))

    begun = time.perf_counter()
    distributed.sweep(cells, out=folder / "scores.jsonl", workers=workers, threads=1, chunk=chunk, force=True, progress=mark, **options)
    (first, some, work, drive), (last, all_, worked, driven) = marks
    done = all_ - some
    return {
        "start_s": first - begun,
        "cells_per_s": done / (last - first),
        "worker_cpu_ms_per_cell": 1000 * (worked - work) / done,
        "driver_cpu_ms_per_cell": 1000 * (driven - drive) / done,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cells", type=int, default=400)
    arguments.add_argument("--chunk", type=int, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--images", type=int, default=128)
    arguments.add_argument("--measures", default="log-synflow,naswot")
    arguments.add_argument("--driver-batches", type=int, default=1000)
    given = arguments.parse_args()
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    # Every so many-th cell: their order is none of cost.
    cells = list(range(0, 15_625, 15_625 // given.cells))[: given.cells]
    report: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load_before": os.getloadavg()[0]},
        "setting": vars(given),
        "rounds": {"1": [], "2": []},
    }
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for workers in (1, 2):
                measures = given.measures.split(",")
                found = sweep(cells, workers, given.chunk, Path(folder), measures=measures, batch=given.images, device="cpu")
                report["rounds"][str(workers)].append(found)
        distributed._Worker = Ready
        report["driver"] = []
        for chunk in (1, 64, 1024):
            many = [index % 15625 for index in range(chunk * given.driver_batches)]
            found = sweep(many, 2, chunk, Path(folder), measures=["naswot", "log-synflow"], batch=1, device="cpu", in_flight=16)
            report["driver"].append({"chunk": chunk, "batches_per_s": found["cells_per_s"] / chunk, **found})
    median = {
        workers: {key: statistics.median(round_[key] for round_ in rounds) for key in rounds[0]} for workers, rounds in report["rounds"].items()
    }
    report["median"] = median
    report["efficiency_wall"] = median["2"]["cells_per_s"] / (2 * median["1"]["cells_per_s"])
    report["efficiency_cpu"] = median["1"]["worker_cpu_ms_per_cell"] / median["2"]["worker_cpu_ms_per_cell"]
    report["machine"]["load_after"] = os.getloadavg()[0]
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
