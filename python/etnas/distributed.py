"""Sweeps and searches on a Ray cluster: ``pip install etnas[ray]``.

>>> import ray, etnas.distributed
>>> ray.init()
>>> done = etnas.distributed.sweep("all", ["log-synflow"], "space.jsonl", threads=1)
>>> done.cells, done.lost
(15625, 0)

Workers are long-lived, one for each card or group of cores. What they send is what one machine computes with the same backend and kernel set,
to the last bit; the file is that of ``etnas-fast score --format jsonl``, which may also go on with it. docs/cluster.md has the rules.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Union

from . import _etnas, _records
from ._arguments import names
from ._engine import Cells, Engine
from ._errors import OptionsError
from ._pool import Pool, library, places
from ._search import Runs, search
from ._sweep_file import SweepFile

__all__ = ["Swept", "search_runs", "sweep"]

#: A number of workers, or the options of Ray for the actor of each (``[{"num_gpus": 1}] * 8``).
Workers = Union[int, Sequence[Mapping[str, Any]], None]

#: What decides the last digits of a score.
_KERNELS = ("backend", "kernel_set")
_SPACE = 15_625


class Swept(NamedTuple):
    """What a sweep did."""

    #: Where the records are.
    out: str
    #: Records in the file.
    cells: int
    #: Of these, the ones that the file held before.
    resumed: int
    #: Workers that died and were replaced.
    lost: int
    #: The metadata beside the file.
    meta: dict[str, Any]
    #: Every worker that took part: ``node``, ``host``, ``pid``, ``backend``, ``kernel_set``, ``batches`` and ``cells`` that are in the file
    #: from it.
    workers: list[dict[str, Any]]


class _Worker:
    """One engine, on the machine and the card that Ray chose."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        # Made by the first call and not with the worker, so that a refusal arrives as the sentence that it is.
        if self._engine is None:
            self._engine = Engine(**self._options)
        return self._engine

    def about(self) -> dict[str, Any]:
        return {
            "version": _etnas.__version__,
            "configuration": self.engine.configuration,
            "cells_at_a_time": self.engine._native.cells_at_a_time(),
            "node": library().get_runtime_context().get_node_id(),
            "host": platform.node(),
            "pid": os.getpid(),
        }

    def score(self, indices: list[int], measures: list[str] | None) -> str:
        dataset = self.engine.configuration["dataset"]
        return "".join(_records.lines(chunk, dataset) for chunk in self.engine.stream(indices, measures))

    def search(self, options: dict[str, Any], own: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        runs = search(**options, **self._options) if own else search(engine=self.engine, **options)
        return list(runs), runs.meta


class _Alike:
    """Workers whose scores may stand together."""

    def __init__(self, allow_mixed: bool) -> None:
        self._allow_mixed = allow_mixed
        self._first: dict[str, Any] | None = None

    def admit(self, worker: dict[str, Any]) -> None:
        if worker["version"] != _etnas.__version__:
            raise OptionsError(
                f"Worker {worker['pid']} on {worker['host']}: expected etnas {_etnas.__version__}, found {worker['version']}. "
                "Install one version everywhere."
            )
        configuration = worker["configuration"]
        if self._first is None:
            self._first = configuration
        self.compare(self._first, configuration, f"Worker {worker['pid']} on {worker['host']}")

    def with_file(self, known: Any, configuration: dict[str, Any], who: str) -> dict[str, Any]:
        """The configuration of a file that is gone on with. What else differs is told by :meth:`SweepFile.keep`."""
        if not self._allow_mixed or not isinstance(known, dict) or any(not isinstance(known.get(key), str) for key in _KERNELS):
            return configuration
        return _mixed([known, configuration])

    def compare(self, first: dict[str, Any], other: dict[str, Any], who: str) -> None:
        """Refuses a configuration that is not that of the others."""
        ours, theirs = (", ".join(str(found[key]) for key in _KERNELS) for found in (first, other))
        if not self._allow_mixed and ours != theirs:
            raise OptionsError(
                f"{who}: expected scores of one backend and kernel set, as others differ in the last digits ({ours}), found {theirs}. "
                "Use machines alike, or give allow_mixed=True."
            )
        plain = [{key: value for key, value in found.items() if key not in _KERNELS} for found in (first, other)]
        if differ := _records.difference(plain[0], plain[1]):
            name, expected, found = differ
            raise OptionsError(
                f"{who}: expected {name} {expected} as the others have it, found {found}. Give all of them the same files."
            )


def _mixed(configurations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The configuration of several, their backends and kernel sets told together as ``merge`` does."""
    whole = dict(configurations[0])
    for key in _KERNELS:
        parts = [name for configuration in configurations for name in configuration[key].split(" + ")]
        whole[key] = " + ".join(dict.fromkeys(parts))
    return whole


def _engine_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of an engine, and the others."""
    known = inspect.signature(Engine).parameters
    mine = {name: value for name, value in options.items() if name in known}
    return mine, {name: value for name, value in options.items() if name not in known}


def sweep(
    cells: Cells,
    measures: str | Iterable[str] | None = None,
    out: str | os.PathLike[str] = "scores.jsonl",
    *,
    workers: Workers = None,
    chunk: int | None = None,
    in_flight: int = 2,
    losses: int = 3,
    resume: bool = True,
    force: bool = False,
    allow_mixed: bool = False,
    encoding: str = "arch",
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> Swept:
    """Scores cells on the cluster into ``out``, JSON Lines in the order of the cells; ``"all"`` is the whole space.

    ``options`` are those of :class:`etnas.Engine`. ``chunk`` is the number of cells of a batch (else as many as keep a worker's device busy;
    more are better for measures of microseconds), ``in_flight`` how many batches a worker has in hand. A worker that dies is replaced and
    its batches are done again; one batch may take ``losses`` workers with it before that is an error.

    A file that is there is gone on with if ``resume``, replaced if ``force``, else refused. Whatever ends the sweep, the file holds whole
    records from the first cell on. Workers of several backends or kernel sets are refused unless ``allow_mixed``; the metadata name them.
    ``FILE.workers.json`` tells of every worker: it is no part of the result, as no two sweeps have it alike.
    """
    whole = isinstance(cells, str) and cells == "all"
    indices = list(range(_SPACE)) if whole else _etnas.indices(cells, encoding)
    unknown = _engine_options(options)[1]
    if unknown:
        raise OptionsError(f"sweep: expected options of an engine, found {', '.join(unknown)}. help(etnas.Engine) lists them.")
    if chunk is not None and chunk < 1 or in_flight < 1 or losses < 0:
        raise OptionsError("sweep: expected chunk and in_flight of at least 1 and losses of at least 0, found less. Give more.")
    asked = names(measures)
    # What cannot be asked for is told before anything is started; the images do not matter here.
    Engine(device="cpu", threads=1, batch=1)._native.check_stream(asked)
    if options.get("weights") is not None and len(indices) != 1:
        raise OptionsError(
            f"weights: expected exactly one cell, found {len(indices)} cells. The weights belong to one cell: score each with its own."
        )
    described = Engine(device="cpu", threads=1, batch=1, log_synflow=options.get("log_synflow") or "reference").measures
    keys = _asked_keys(asked, described)
    selection = {"rule": "all" if whole else "list", "count": len(indices), "sha256": _records.fingerprint(indices)}

    def metadata(configuration: dict[str, Any], count: int | None, complete: bool) -> dict[str, Any]:
        return {
            "program": "etnas-fast",
            "version": _etnas.__version__,
            "command": "score",
            "configuration": configuration,
            "measures": [
                {"name": m.name, "key": m.key, "better": m.better, "definition": m.definition} for m in map(described.__getitem__, keys)
            ],
            "selection": selection,
            "shard": None,
            "cells": count,
            "complete": complete,
        }

    file = SweepFile(out, resume=resume and not force, force=force)
    alike = _Alike(allow_mixed)
    taken: dict[tuple[Any, ...], dict[str, Any]] = {}
    try:
        known = None if force else file.metadata()
        where = places(workers, options.get("threads"), options.get("device") != "cpu")
        if isinstance(workers, int) or workers is None:
            options = {**options, "threads": options.get("threads") or 1}
        with Pool(_Worker, [options], where, in_flight=in_flight, losses=losses, admit=alike.admit) as pool:
            first = pool.first()
            configuration = first["configuration"]
            resumed = 0
            if known is not None:
                configuration = alike.with_file(known.get("configuration"), configuration, f"Resuming {file.path}")
                resumed = file.keep(known, metadata(configuration, None, False), indices)
            size = chunk or first["cells_at_a_time"]
            batches = [indices[start : start + size] for start in range(resumed, len(indices), size)]
            count = resumed
            try:
                for done in pool.map("score", [(batch, asked) for batch in batches], lambda number: _named(batches[number])):
                    theirs = done.worker["configuration"]
                    configuration = _mixed([configuration, theirs]) if count else theirs
                    file.append(done.result, metadata(configuration, None, False))
                    count += len(batches[done.number])
                    _count(taken, done.worker, len(batches[done.number]))
                    if progress is not None:
                        progress(count, len(indices))
            except BaseException:
                if count:
                    file.finish(metadata(configuration, count, False))
                raise
            lost = pool.lost
        final = metadata(configuration, count, True)
        file.finish(final)
        parts = list(taken.values())
        with open(f"{os.fspath(out)}.workers.json", "w", encoding="utf-8", newline="\n") as beside:
            beside.write(_records.pretty({"lost": lost, "workers": parts}))
        return Swept(os.fspath(out), count, resumed, lost, final, parts)
    finally:
        file.close()


def _named(batch: Sequence[int]) -> str:
    """A batch, for people."""
    return f"cell {batch[0]}" if len(batch) == 1 else f"the {len(batch)} cells from {batch[0]} to {batch[-1]}"


def _asked_keys(asked: list[str] | None, described: Mapping[str, Any]) -> list[str]:
    """The keys of measures in the order of records."""
    if asked is None:
        return [key for key in described if key not in ("synflow", "utopian")]
    return [key for key, measure in described.items() if key in asked or measure.name in asked]


def _count(taken: dict[tuple[Any, ...], dict[str, Any]], worker: dict[str, Any], cells: int) -> None:
    kernels = {key: worker["configuration"][key] for key in _KERNELS}
    place = {key: worker[key] for key in ("node", "host", "pid")}
    row = taken.setdefault(tuple(place.values()), {**place, **kernels, "batches": 0, "cells": 0})
    row["batches"] += 1
    row["cells"] += cells


def search_runs(
    method: str = "et-nas",
    *,
    runs: int = 1,
    workers: Workers = None,
    runs_at_a_time: int = 1,
    in_flight: int = 2,
    losses: int = 3,
    allow_mixed: bool = False,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> Runs:
    """The runs of a search, spread over the cluster: those of :func:`etnas.search` with the same options but for ``seconds``.

    ``options`` are those of :func:`etnas.search`; files that they name must be where the workers are. A worker's engine remembers scores from
    run to run, and those of other workers not.
    """
    if not isinstance(runs, int) or runs < 1 or runs_at_a_time < 1 or in_flight < 1 or losses < 0:
        raise OptionsError(f"search_runs: expected whole numbers of at least 1 (losses: 0), found {runs} runs. Give more.")
    for name in ("engine", "first_run"):
        if options.get(name) is not None:
            raise OptionsError(f"search_runs: expected no {name}, for workers have their own, found one. Give its options here.")
    if options.get("trajectory") is not None:
        raise OptionsError(
            "search_runs: expected no trajectory, for its runs are made by several processes, found one. Use etnas.search to have one."
        )
    of_engine, of_search = _engine_options(options)
    if options.get("search_seed") is None:
        of_engine.pop("search_seed", None)
    threads = of_engine.get("threads")
    if isinstance(workers, int) or workers is None:
        of_engine["threads"] = threads or 1
    # With score files nothing is computed.
    own = of_search.get("scores") is not None
    if own:
        of_engine.pop("threads")
    starts = list(range(0, runs, runs_at_a_time))
    tasks = [
        ({**of_search, "method": method, "first_run": start, "runs": min(runs_at_a_time, runs - start)}, own) for start in starts
    ]
    alike = _Alike(allow_mixed)
    merged = Runs()
    configurations: list[dict[str, Any]] = []
    where = places(workers, threads, options.get("device") not in ("cpu",))
    with Pool(_Worker, [of_engine], where, in_flight=in_flight, losses=losses, admit=alike.admit) as pool:
        for done in pool.map("search", tasks, lambda number: f"the runs from {starts[number]} on"):
            found, meta = done.result
            merged.extend(found)
            if done.number == 0:
                merged.meta = meta
            if meta["configuration"] is not None:
                configurations.append(meta["configuration"])
            if progress is not None:
                progress(len(merged), runs)
    merged.meta = json.loads(json.dumps(merged.meta))
    merged.meta["search"]["runs"] = runs
    if configurations:
        merged.meta["configuration"] = _mixed(configurations)
    known = [run["test_accuracy"] for run in merged if run["test_accuracy"] is not None]
    merged.n = len(known)
    merged.mean = _sum(known) / len(known) if known else None
    merged.std = None
    if merged.mean is not None and len(known) > 1:
        mean = merged.mean
        merged.std = math.sqrt(_sum([(value - mean) * (value - mean) for value in known]) / (len(known) - 1))
    return merged


def _sum(values: Sequence[float]) -> float:
    """One after the other, as the program adds: Python's own sum is more exact since 3.12."""
    total = 0.0
    for value in values:
        total += value
    return total
