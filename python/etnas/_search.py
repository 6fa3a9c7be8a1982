"""Searches of the space."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from . import _arguments, _etnas
from ._engine import Engine
from ._errors import OptionsError


class Runs(list[dict[str, Any]]):
    """The runs of a search, each a dictionary with the keys of ``etnas-fast search --format json``."""

    #: How to get them again.
    meta: dict[str, Any]
    #: Mean test accuracy in % of the runs whose accuracy is known; None if there is none.
    mean: float | None
    #: Its standard deviation (n - 1).
    std: float | None
    #: How many runs these are.
    n: int


def search(
    method: str = "et-nas",
    *,
    engine: Engine | None = None,
    runs: int = 1,
    first_run: int | None = None,
    weights_per_run: bool = False,
    scores: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
    table: str | os.PathLike[str] | None = None,
    trajectory: str | os.PathLike[str] | None = None,
    search_seed: int | None = None,
    population: int | None = None,
    sample: int | None = None,
    patience: int | None = None,
    evaluations: int | None = None,
    simulated_seconds: float | None = None,
    preset: str | None = None,
    variant: str | None = None,
    degree_rule: str | None = None,
    rank_pool: str | None = None,
    cycles: int | None = None,
    pool: int | None = None,
    by: str | None = None,
    starts: int | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    validate_on: str | None = None,
    dataset: str | None = None,
    device: str | None = None,
    seed: int | None = None,
    images: Any = None,
    batch: int | None = None,
    classes: int | None = None,
    init: str | None = None,
    slope_init: str | None = None,
    log_synflow: str | None = None,
    repeats: int | None = None,
    threads: int | None = None,
    precision: str | None = None,
    weight_seed: int | None = None,
    data_seed: int | None = None,
    target_seed: int | None = None,
    noise_seed: int | None = None,
) -> Runs:
    """Searches the space; gives what ``etnas-fast search --format json`` gives with the same options.

    An ``engine`` computes the scores if it is given (and remembers them for the next search, whatever its preset); else the options of
    :class:`Engine` stand here. ``trajectory`` is a file (.csv or .jsonl) that gets the best cell after each evaluation, as from the command
    line. Ctrl-C ends a search, and nothing is left of it.
    """
    of_engine = _arguments.of_engine(locals())
    path, array = _arguments.split_images(images)
    if engine is not None:
        given = [name for name, value in {**of_engine, "images": images}.items() if value is not None]
        if given:
            raise OptionsError(
                f"The options of the search's engine: expected none beside an engine, found {', '.join(given)}. "
                "Give them to the engine."
            )
        configuration = engine.configuration
        of_engine["dataset"] = configuration["dataset"]
        search_seed = configuration["seeds"]["search"] if search_seed is None else search_seed
    found = _arguments.arguments(
        {
            "method": method,
            "runs": runs,
            "first_run": first_run,
            "weights_per_run": weights_per_run,
            "table": table,
            "trajectory": trajectory,
            "search_seed": search_seed,
            "population": population,
            "sample": sample,
            "patience": patience,
            "evaluations": evaluations,
            "simulated_seconds": simulated_seconds,
            "preset": preset,
            "variant": variant,
            "degree_rule": degree_rule,
            "rank_pool": rank_pool,
            "cycles": cycles,
            "pool": pool,
            "by": by,
            "starts": starts,
            "learning_rate": learning_rate,
            "momentum": momentum,
            "validate_on": validate_on,
            "data": path,
            **of_engine,
        }
    )
    files = [scores] if isinstance(scores, (str, os.PathLike)) else list(scores or [])
    found += [f"--scores={os.fspath(file)}" for file in files]
    report = json.loads(_etnas.search(found, None if engine is None else engine._native, array))
    result = Runs(report["runs"])
    result.meta, result.mean, result.std, result.n = (report[key] for key in ("meta", "mean", "std", "n"))
    return result
