"""NATS-Bench's API and etnas on the same cells: what training gave, and what was known before it.

    TORCH_HOME=... python nats_bench_side_by_side.py 0 11 '|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|...|'

Needs `pip install nats_bench`. Cells are NATS-Bench's indices or its strings. The benchmark is --benchmark, or where the API itself looks:
$TORCH_HOME/NATS-tss-v1_0-3ffb9-simple. Without one, accuracies are those that etnas knows.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import Any

import etnas
import nats_bench

#: A data set of etnas, and the names of NATS-Bench for it and for its test accuracy.
DATASETS = {
    "cifar10": ("cifar10", "test-accuracy"),
    "cifar100": ("cifar100", "test-accuracy"),
    "imagenet16-120": ("ImageNet16-120", "test-accuracy"),
}
MEASURES = ["naswot", "log_synflow", "degree", "params"]
NAME = "NATS-tss-v1_0-3ffb9-simple"


def benchmark(path: str | None) -> Any:
    """The API over the folder given, or over that of TORCH_HOME; None where there is none."""
    folder = Path(path or Path(os.environ.get("TORCH_HOME", "")) / NAME)
    if not (folder / "meta.pickle.pbz2").is_file():
        return None
    return nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)


def side_by_side(api: Any, engine: etnas.Engine, cells: list[int | str], dataset: str) -> list[dict[str, Any]]:
    """A row for each cell: the API's accuracy and parameters, and the scores."""
    scores = engine.score(cells, MEASURES)
    known = etnas.Accuracies()
    rows = []
    for place, asked in enumerate(cells):
        row = {key: values[place].item() for key, values in scores.items()}
        if api is None:
            row["accuracy"], row["params_m"] = float(known.lookup(asked, dataset)[0]), math.nan
        else:
            # Both number cells alike.
            index = api.query_index_by_arch(asked)
            assert index == row["index"] and api.arch(index) == row["arch"]
            name, key = DATASETS[dataset]
            try:
                row["accuracy"] = api.get_more_info(index, name, hp="200", is_random=False)[key]
                row["params_m"] = float(api.get_cost_info(index, name)["params"])
            except (FileNotFoundError, AssertionError, ValueError):
                # The folder has one file for each cell, and not this one.
                row["accuracy"] = row["params_m"] = math.nan
        rows.append(row)
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cells", nargs="*", default=["0", "11", "284"], help="indices or strings")
    arguments.add_argument("--dataset", choices=DATASETS, default="cifar10")
    arguments.add_argument("--benchmark", help=f"the folder {NAME}")
    arguments.add_argument("--images", type=int, default=32, help="images that scores are computed on")
    given = arguments.parse_args()
    cells = [int(cell) if cell.isdigit() else cell for cell in given.cells]
    api = benchmark(given.benchmark)
    if api is None:
        print(f"No benchmark: --benchmark names the folder {NAME}, or TORCH_HOME the folder that holds it. Accuracies are those that etnas knows.")
    print(f"{'index':>6} {'accuracy %':>10} {'params M':>9} | {'params':>8} {'naswot':>9} {'LogSynflow':>12} {'Degree':>6}  cell")
    for row in side_by_side(api, etnas.Engine(given.dataset, batch=given.images), cells, given.dataset):
        accuracy, params = (f"{value:.{digits}f}" if value == value else "unknown" for value, digits in ((row["accuracy"], 2), (row["params_m"], 4)))
        print(
            f"{row['index']:6} {accuracy:>10} {params:>9} | {row['params']:8.0f} {row['naswot']:9.2f} {row['log_synflow']:12.0f} "
            f"{row['degree']:6.0f}  {row['arch']}"
        )


if __name__ == "__main__":
    main()
