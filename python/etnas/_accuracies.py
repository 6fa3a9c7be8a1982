"""Accuracies of trained cells, to look up."""

from __future__ import annotations

import os
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _etnas
from ._engine import Cells


class Accuracies:
    """A table of accuracies: that of ``table`` (CSV, or what ``etnas-fast table import`` made), else of the environment variables ETNAS_TABLE
    and TORCH_HOME, else the 75 cells that are built in."""

    def __init__(self, table: str | os.PathLike[str] | None = None) -> None:
        self._table = None if table is None else os.fspath(table)
        self._native = _etnas.Accuracies(self._table)

    def lookup(self, cells: Cells, dataset: str = "cifar10", *, encoding: str = "arch") -> npt.NDArray[np.float64]:
        """Mean test accuracies after 200 epochs in %; NaN where not known."""
        return self._native.lookup(cells, dataset, encoding)

    def rank(self, cell: SupportsIndex | str, dataset: str = "cifar10") -> int | None:
        """A cell's rank by test accuracy, 1 is the best; None unless the accuracy of every cell is known."""
        (index,) = _etnas.indices(cell, "arch")
        found = self._native.rank(index, dataset)
        return None if found is None else found[0]

    @property
    def source(self) -> str:
        """Where the accuracies come from."""
        return self._native.source()

    @property
    def columns(self) -> list[str]:
        """The names of the table's columns."""
        return self._native.columns()

    def __getitem__(self, column: str) -> npt.NDArray[np.float64]:
        """All values of a column, by the index of the cell; NaN where not known."""
        found = self._native.column(column)
        if found is None:
            raise KeyError(column)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Accuracies, (self._table,)


def accuracy(cell: SupportsIndex | str, dataset: str = "cifar10", table: str | os.PathLike[str] | None = None) -> float | None:
    """The mean test accuracy of a cell after 200 epochs in %; None where it is not known. Reads the table at each call: make
    :class:`Accuracies` for many."""
    index = _etnas.indices(cell, "arch")
    (found,) = Accuracies(table).lookup(index, dataset)
    return None if np.isnan(found) else float(found)
