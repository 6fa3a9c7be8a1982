"""Scores neural architectures of the NATS-Bench topology space without training them, and searches the space.

>>> import etnas
>>> engine = etnas.Engine(batch=8)
>>> scores = engine.score([1462, 9930], measures=["log_synflow", "degree"])
>>> scores["degree"].tolist()
[6.0, 7.0]

Cells are indices or strings, measures have the names or the keys of the command line, and every number is the command line's to the last bit.
What is wrong is told in the same sentences, as an :class:`Error`.
"""

from __future__ import annotations

from ._accuracies import Accuracies, accuracy
from ._convert import convert
from ._engine import Engine
from ._errors import (
    CellError,
    DataError,
    DeviceError,
    Error,
    FileError,
    InternalError,
    MissingFileError,
    OptionsError,
)
from ._etnas import __version__
from ._measures import MEASURES, Measure
from ._search import Runs, search

#: The version of the package, which is that of the program.
version = __version__

__all__ = [
    "MEASURES",
    "Accuracies",
    "CellError",
    "DataError",
    "DeviceError",
    "Engine",
    "Error",
    "FileError",
    "InternalError",
    "Measure",
    "MissingFileError",
    "OptionsError",
    "Runs",
    "accuracy",
    "convert",
    "search",
    "version",
]
