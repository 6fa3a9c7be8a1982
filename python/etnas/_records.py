"""Records and metadata as text, with the bytes that the command line writes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

#: Keys that stand before the measures.
OPENING = ("index", "arch", "dataset", "status")
#: Measures that count.
WHOLE = frozenset(["degree", "params", "macs"])
#: The longest line that a list or an object of metadata is kept on.
_WIDTH = 100


def keys(found: Mapping[str, Any]) -> list[str]:
    """The keys of a record of scores, which have no data set."""
    return [*OPENING, *(key for key in found if key not in OPENING)]


def lines(found: Mapping[str, Any], dataset: str) -> str:
    """Scores of :meth:`Engine.score` as JSON Lines."""
    measures = [key for key in found if key not in OPENING]
    columns = [[number(value, key in WHOLE) for value in found[key].tolist()] for key in measures]
    opening = zip(found["index"].tolist(), found["arch"].tolist(), found["status"].tolist())
    text = []
    for place, (index, arch, status) in enumerate(opening):
        values = "".join(f',"{key}":{column[place]}' for key, column in zip(measures, columns))
        text.append(f'{{"index":{index},"arch":"{arch}","dataset":"{dataset}","status":"{status}"{values}}}\n')
    return "".join(text)


def number(value: float, whole: bool) -> str:
    """A number as the program writes it: the shortest text that reads back to the same bits, null for what is not finite."""
    if not math.isfinite(value):
        return "null"
    if whole and value >= 0 and value == math.floor(value):
        return str(int(value))
    text = repr(value)
    mantissa, separator, power = text.partition("e")
    if not separator:
        return text
    # Python turns to powers one decade earlier, and writes them with two digits at least.
    exponent = int(power)
    if exponent == -5:
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        return f"{sign}0.0000{digits.replace('.', '')}"
    return f"{mantissa}e{exponent:+d}"


def fingerprint(indices: Iterable[int]) -> str:
    """SHA-256 of cells in their order, as metadata have it."""
    return hashlib.sha256("".join(f"{index}\n" for index in indices).encode()).hexdigest()


def pretty(value: Any) -> str:
    """Metadata as the program lays them out."""
    return _laid_out(value, 0, False) + "\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _laid_out(value: Any, depth: int, in_list: bool) -> str:
    compact = _compact(value)
    row = in_list and isinstance(value, dict) and not any(isinstance(item, (dict, list)) for item in value.values())
    fits = depth > 0 and 2 * depth + len(compact.encode()) <= _WIDTH
    if row or fits or not isinstance(value, (dict, list)):
        return compact
    indent = "  " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{_compact(key)}: {_laid_out(item, depth + 1, False)}" for key, item in value.items()]
    else:
        items = [_laid_out(item, depth + 1, True) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    # An empty one at the outermost place is written over two lines, as the program does it.
    inner = "".join(f"{',' if i else ''}\n{indent}{item}" for i, item in enumerate(items))
    return f"{opening}{inner}\n{'  ' * depth}{closing}"


def difference(ours: Any, known: Any, but_for: Iterable[str] = (), name: str = "") -> tuple[str, Any, Any] | None:
    """The first place where two metadata differ, and the two values; but for some of the outermost keys."""
    if isinstance(ours, dict) and isinstance(known, dict):
        left_out = set(but_for)
        for key in [*ours, *(key for key in known if key not in ours)]:
            place = f"{name}.{key}" if name else key
            if key not in left_out and (found := difference(ours.get(key), known.get(key), (), place)):
                return found
        return None
    return None if ours == known else (name, ours, known)
