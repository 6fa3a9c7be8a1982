"""Cells in the encodings that users hold."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

from . import _etnas


def convert(cell: SupportsIndex | str | Iterable[int], to: str = "arch", *, source: str = "auto") -> Any:
    """A cell in another encoding, as ``etnas-fast convert`` has them: ``arch`` a string, ``index`` an int, ``ops`` and ``naslib`` six ids in a
    tuple, ``all`` a dictionary of the four. ``source`` is how it is written; ``auto`` tells strings from indices, and refuses six ids that mean
    two cells."""
    found = json.loads(_etnas.convert([f"--to={to}", f"--from={source}"], _text(cell)))
    cells = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return cells if to == "all" else cells[to]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    try:
        return str(operator.index(cell))
    except TypeError:
        return f"({', '.join(map(str, cell))})"
