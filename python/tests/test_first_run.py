"""Several processes share the runs of one search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import etnas


@pytest.mark.parametrize("weights_per_run", [False, True])
def test_parts_of_a_search_are_its_runs(rng: np.random.Generator, weights_per_run: bool) -> None:
    options: dict[str, Any] = {"method": "random-naswot", "evaluations": 4, "batch": 2, "seed": int(rng.integers(2**32)), "threads": 1}
    options["weights_per_run"] = weights_per_run
    whole = etnas.search(runs=4, **options)
    parts = [etnas.search(runs=1, **options), etnas.search(runs=2, first_run=1, **options), etnas.search(runs=1, first_run=3, **options)]
    found = [run for part in parts for run in part]
    for run in [*whole, *found]:
        del run["seconds"]
    assert list(whole) == found and [run["run"] for run in found] == [0, 1, 2, 3]
    assert len({run["weight_seed"] for run in whole}) == (4 if weights_per_run else 1)
    # Only a part says where it begins.
    assert "first_run" not in whole.meta["search"] and parts[0].meta["search"].get("first_run") is None
    assert [part.meta["search"]["first_run"] for part in parts[1:]] == [1, 3]
    with pytest.raises(etnas.OptionsError, match="whole number from 0"):
        etnas.search(first_run=10**12, **options)
