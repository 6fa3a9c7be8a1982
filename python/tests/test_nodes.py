"""A sweep over two machines of Ray (two nodes on this one), of which one is lost in the middle."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import distinct

ray = pytest.importorskip("ray", reason="Ray is not installed: `pip install etnas[ray]`")
pytest.importorskip("psutil", reason="psutil is not installed: python/tests/requirements-ray.txt has it")
from processes import running  # noqa: E402

from etnas import distributed  # noqa: E402


def test_the_loss_of_a_machine_costs_no_record(
    etnas_fast: Callable[..., subprocess.CompletedProcess[str]], rng: np.random.Generator, tmp_path: Path
) -> None:
    from ray.cluster_utils import Cluster

    os.environ["RAY_worker_niceness"] = "0"
    cells, out, one = distinct(rng, 400), tmp_path / "ray.jsonl", tmp_path / "one.jsonl"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        cluster.wait_for_nodes()
        lost: list[int] = []

        def lose(count: int, _: int) -> None:
            # Both machines are at work: a process bears the name of the method that it runs.
            if not lost and len(running("ray::_Worker.score")) == 2:
                lost.append(count)
                cluster.remove_node(second, allow_graceful=False)

        done = distributed.sweep(cells, "log-synflow", out, workers=2, chunk=2, batch=4, device="cpu", progress=lose)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost and done.lost >= 1 and done.cells == 400
    program = etnas_fast("score", *cells, "--measures", "log-synflow", "--batch", 4, "--device", "cpu", "--format", "jsonl", "-o", one, "--quiet")
    assert program.returncode == 0, program.stderr
    assert out.read_bytes() == one.read_bytes()
    assert Path(f"{out}.meta.json").read_bytes() == Path(f"{one}.meta.json").read_bytes()
    nodes = {worker["node"] for worker in json.loads(Path(f"{out}.workers.json").read_text())["workers"]}
    assert 1 <= len(nodes) <= 2, nodes
