"""The examples run, against the packages that they are for."""

from __future__ import annotations

import importlib.util
import os
import secrets
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import numpy as np
import pytest
from conftest import ROOT, distinct

import etnas

EXAMPLES = ROOT / "python" / "examples"
SHARED = Path(os.environ.get("ETNAS_SHARED", ROOT.parent / "shared"))


def example(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_optuna_is_told_the_scores_of_what_it_asked(capsys: Any, monkeypatch: Any) -> None:
    optuna = pytest.importorskip("optuna", reason="optuna is not installed: python/examples/requirements.txt has it")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module = example("optuna_ask_and_tell")
    seed, calls = secrets.randbelow(2**31), []
    engine = etnas.Engine(batch=4, seed=seed, threads=1)
    score = engine.score

    def counted(cells: Any, **options: Any) -> Any:
        calls.append(len(cells))
        return score(cells, **options)

    monkeypatch.setattr(engine, "score", counted)
    study = module.optimise(engine, 11, 4, seed)
    # A call for each batch, and nothing asked twice.
    assert calls == [4, 4, 3] and [trial.number for trial in study.trials] == list(range(11))
    cells = [trial.user_attrs["index"] for trial in study.trials]
    assert [etnas.convert(module.cell(trial.params), "index") for trial in study.trials] == cells
    expected = etnas.Engine(batch=4, seed=seed, threads=1).score(cells, module.OBJECTIVES)
    for place, trial in enumerate(study.trials):
        assert trial.state == optuna.trial.TrialState.COMPLETE
        assert trial.values == [expected[key][place] for key in module.OBJECTIVES], seed
    monkeypatch.setattr("sys.argv", ["example", "--trials", "4", "--batch", "2", "--images", "3"])
    module.main()
    assert capsys.readouterr().out.startswith("4 trials")


def test_nats_bench_and_etnas_name_the_same_cells(
    etnas_fast: Callable[..., Any], tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    pytest.importorskip("nats_bench", reason="nats_bench is not installed: python/examples/requirements.txt has it")
    module = example("nats_bench_side_by_side")
    monkeypatch.setattr("sys.argv", ["example", "0", "9930", "--images", "3"])
    module.main()
    assert "No benchmark" in capsys.readouterr().out
    folder = SHARED / "data" / "nats_real" / module.NAME
    if not folder.is_dir():
        pytest.skip(f"NATS-Bench's own files are not in {folder}")
    monkeypatch.setenv("TORCH_HOME", str(folder.parent))
    api = module.benchmark(None)
    cells = [0, api.arch(11), 284, 9930]
    rows = module.side_by_side(api, etnas.Engine("cifar100", batch=3, threads=1), cells, "cifar100")
    assert [row["index"] for row in rows] == [0, 11, 284, 9930]
    table = tmp_path / "table.safetensors"
    done = etnas_fast("table", "import", folder, "-o", table, "--quiet")
    assert done.returncode == 0, done.stderr
    for row in rows[:3]:
        # The network's size is the API's, and the accuracy the one that etnas reads out of the same files.
        assert row["params"] == round(row["params_m"] * 1e6)
        assert row["accuracy"] == pytest.approx(etnas.accuracy(row["index"], "cifar100", table), abs=1e-9)
    assert np.isnan(rows[3]["accuracy"])
    monkeypatch.setattr("sys.argv", ["example", "--images", "3"])
    module.main()
    assert f"{rows[0]['arch']}" in capsys.readouterr().out


class Graph:
    """What NASLib's NasBench201SearchSpace documents of a cell: op indices in its own order, and their tuple as the hash."""

    def __init__(self, ops: tuple[int, ...]) -> None:
        self.op_indices = np.array(ops)

    def get_op_indices(self) -> Any:
        return self.op_indices

    def get_hash(self) -> tuple[int, ...]:
        return tuple(self.get_op_indices())


@pytest.mark.parametrize("measure", ["naswot", "log-synflow"])
def test_naslib_gets_scores_by_its_own_calls(rng: np.random.Generator, measure: str, monkeypatch: Any) -> None:
    module = example("naslib_predictor")
    cells = [*distinct(rng, 4), 1462]
    options = {"batch": 4, "seed": int(rng.integers(2**32)), "threads": 1}
    key = measure.replace("-", "_")
    expected = etnas.Engine(**options).score(cells, [key])[key]
    expected = np.where(np.isfinite(expected), expected, -1e8)
    graphs = [Graph(etnas.convert(cell, "naslib")) for cell in cells]
    predictor = module.EtnasPredictor(measure, **options)
    predictor.pre_process()
    predictor.pre_compute(graphs[:2], graphs[2:], unlabeled=[])
    predictor.fit(graphs[:2], [90.0, 91.0])
    # All was scored by pre_compute: queries ask the engine for nothing.
    monkeypatch.setattr(etnas.Engine, "score", None)
    assert predictor.query(graphs, info=None).tolist() == expected.tolist()
    assert [predictor.query(graph, dataloader=object()) for graph in graphs] == expected.tolist()
    assert predictor.query([graph.get_hash() for graph in graphs]).tolist() == expected.tolist()
    assert predictor.query([etnas.convert(cell, "arch") for cell in cells]).tolist() == expected.tolist()
    monkeypatch.undo()
    assert predictor.get_hyperparams() == options and predictor.get_data_reqs()["requires_partial_lc"] is False
    predictor.set_hyperparams({**options, "seed": options["seed"] ^ 1})
    assert predictor.query(graphs).tolist() != expected.tolist()


def test_naslib_predictor_refuses_what_it_cannot_do() -> None:
    module = example("naslib_predictor")
    for name, match in [("nawsot", "Did you mean naswot"), ("utopian", "utopian")]:
        with pytest.raises(etnas.OptionsError, match=match):
            module.EtnasPredictor(name)
    with pytest.raises(etnas.OptionsError, match="nasbench201"):
        module.EtnasPredictor("naswot").set_ss_type("nasbench101")


def test_the_notebook_draws_the_figure(monkeypatch: Any) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: python/examples/requirements.txt has it")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: python/examples/requirements.txt has it")
    for package in ("ipykernel", "matplotlib"):
        pytest.importorskip(package, reason=f"{package} is not installed: python/examples/requirements.txt has it")
    table = SHARED / "data" / "nb201_accuracy.csv"
    if table.is_file():
        monkeypatch.setenv("ETNAS_TABLE", str(table))
    monkeypatch.setenv("ETNAS_FIG2_CELLS", "8")
    monkeypatch.setenv("ETNAS_FIG2_IMAGES", "4")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(EXAMPLES / "fig2.ipynb", as_version=4)
    nbformat.validate(notebook)
    # What is in the tree has no outputs of anybody's machine.
    assert not any(cell.get("outputs") for cell in notebook.cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    known = "15625" if table.is_file() else "75"
    assert f"8 cells of {known} whose accuracy is known" in code[1].outputs[0].text
    images = [output.data["image/png"] for output in code[3].outputs if "image/png" in output.get("data", {})]
    assert len(images) == 1 and len(images[0]) > 10_000
