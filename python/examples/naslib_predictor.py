"""A zero-cost predictor for NASLib, which queries it like its own.

    from naslib_predictor import EtnasPredictor

    predictor = EtnasPredictor("naswot")
    predictor.pre_compute(xtrain, xtest)          # all cells by one call
    scores = predictor.query(xtest)               # higher promises a better cell
    score = predictor.query(graph, dataloader)    # as ZeroCostPredictorEvaluator asks, one graph at a time

NASLib is not on PyPI, so that this file imports nothing of it: `Predictor` there has methods and no state that others rely on. Where NASLib is
installed and a class check is wanted, `class Mine(EtnasPredictor, naslib.predictors.predictor.Predictor): pass` passes it.

Cells are graphs of NASLib's NasBench201SearchSpace (anything with `get_hash()`, the tuple of six op indices, or `get_op_indices()`), such tuples,
or strings of NATS-Bench.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import etnas
import numpy as np

#: What NASLib's own predictors give for what is not finite.
_WORST = -1e8


class EtnasPredictor:
    """Scores of one measure, as NASLib's ``ZeroCost`` gives those of its own. Options are those of :class:`etnas.Engine`."""

    def __init__(self, method_type: str = "naswot", ss_type: str = "nasbench201", **options: Any) -> None:
        self.method_type = method_type
        self.encoding = self.metric = self.fidelity = None
        self.hyperparams: dict[str, Any] = dict(options)
        self.set_ss_type(ss_type)
        self._known: dict[int, float] = {}
        self._engine: etnas.Engine | None = None
        # A name that is none is told at once, and utopian, which compares the cells of a call: the score of a cell would hang on the others.
        etnas.Engine(batch=1, device="cpu").stream([], [method_type])

    def set_ss_type(self, ss_type: str) -> None:
        """The search space; there is one."""
        if ss_type != "nasbench201":
            raise etnas.OptionsError(f"ss_type: expected nasbench201, found {ss_type}. etnas scores cells of that space alone.")
        self.ss_type = ss_type

    def pre_process(self) -> None:
        """Called before any architecture: there is nothing to do."""

    def pre_compute(self, xtrain: Iterable[Any], xtest: Iterable[Any], unlabeled: Iterable[Any] | None = None) -> None:
        """Scores all cells that will be queried by one call, which is when the engine is fastest."""
        self._learn([_index(cell) for cell in (*xtrain, *xtest, *(unlabeled or ()))])

    def fit(self, xtrain: Any, ytrain: Any, train_info: Any = None, **_: Any) -> None:
        """A zero-cost predictor learns nothing of accuracies."""

    def query(self, xtest: Any, info: Any = None, eval_batch_size: int | None = None, dataloader: Any = None) -> Any:
        """The scores of a list of cells as an array, or of one graph as a float. Higher promises a better cell. Images are the engine's:
        ``dataloader`` and ``info`` are not looked at."""
        one = not isinstance(xtest, (list, np.ndarray))
        indices = [_index(cell) for cell in ([xtest] if one else xtest)]
        self._learn(indices)
        scores = np.array([self._known[index] for index in indices])
        return float(scores[0]) if one else scores

    def get_data_reqs(self) -> dict[str, Any]:
        """What NASLib must bring: nothing."""
        return {
            "requires_partial_lc": False,
            "metric": None,
            "requires_hyperparameters": False,
            "hyperparams": None,
            "unlabeled": False,
            "unlabeled_factor": 0,
        }

    def requires_partial_training(self, xtest: Any) -> bool:
        """No training."""
        return False

    def set_hyperparams(self, hyperparams: dict[str, Any]) -> None:
        """Other options of the engine; what was scored by the old ones is forgotten."""
        self.hyperparams = dict(hyperparams)
        self._engine = None
        self._known = {}

    def get_hyperparams(self) -> dict[str, Any]:
        """The options of the engine."""
        return self.hyperparams

    def reset_hyperparams(self) -> None:
        """Back to the defaults."""
        self.set_hyperparams({})

    def _learn(self, indices: list[int]) -> None:
        new = [index for index in dict.fromkeys(indices) if index not in self._known]
        if not new:
            return
        if self._engine is None:
            self._engine = etnas.Engine(**self.hyperparams)
        (key,) = [key for key, measure in self._engine.measures.items() if self.method_type in (key, measure.name)]
        sign = 1 if self._engine.measures[key].higher_is_better else -1
        for index, value in zip(new, self._engine.score(new, [key])[key].tolist()):
            self._known[index] = sign * value if np.isfinite(value) else _WORST


def _index(cell: Any) -> int:
    """The index of a graph, a tuple of op indices or a string."""
    if isinstance(cell, str):
        return int(etnas.convert(cell, "index"))
    if hasattr(cell, "get_hash"):
        cell = cell.get_hash()
    elif hasattr(cell, "get_op_indices"):
        cell = cell.get_op_indices()
    return int(etnas.convert([int(op) for op in cell], "index", source="naslib"))
