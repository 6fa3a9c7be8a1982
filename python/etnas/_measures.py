"""The measures: names, direction, definition."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from . import _etnas


class Measure(NamedTuple):
    """A number that ranks cells."""

    #: As in the dictionaries of scores: ``log_synflow``.
    key: str
    #: As on the command line: ``log-synflow``.
    name: str
    #: As people write it: ``LogSynflow``.
    title: str
    #: Which values promise the better cells: ``higher`` or ``lower``.
    better: str
    #: In one line.
    definition: str

    @property
    def higher_is_better(self) -> bool:
        """Larger values promise better cells."""
        return self.better == "higher"


def described(one_plus: bool) -> Mapping[str, Measure]:
    """All measures by key, LogSynflow's definition in one of its two forms."""
    return MappingProxyType({measure[0]: Measure(*measure) for measure in _etnas.measures(one_plus)})


#: All measures by key, in the order of records.
MEASURES = described(False)
