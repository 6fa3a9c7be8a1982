"""Optuna chooses cells in batches, etnas scores each batch by one call.

    python optuna_ask_and_tell.py --trials 64 --batch 16

Needs `pip install optuna`. A trial is six categorical choices, one for each edge of the cell; the two objectives are naswot and LogSynflow.
"""

from __future__ import annotations

import argparse
import math

import etnas
import optuna

OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
#: Edges from a node to a later one, in the order of NATS-Bench's strings.
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
SPACE = {f"{source}->{target}": optuna.distributions.CategoricalDistribution(OPS) for source, target in EDGES}
OBJECTIVES = ["naswot", "log_synflow"]


def cell(choices: dict[str, str]) -> str:
    """The string of the cell with these operations."""
    nodes = [[f"{choices[f'{source}->{target}']}~{source}" for source in range(target)] for target in (1, 2, 3)]
    return "+".join(f"|{'|'.join(edges)}|" for edges in nodes)


def optimise(engine: etnas.Engine, trials: int, batch: int, seed: int = 0) -> optuna.Study:
    """A study whose trials are asked for and told in batches."""
    sampler = optuna.samplers.NSGAIISampler(population_size=batch, seed=seed)
    study = optuna.create_study(directions=["maximize"] * len(OBJECTIVES), sampler=sampler)
    while len(study.trials) < trials:
        asked = [study.ask(SPACE) for _ in range(min(batch, trials - len(study.trials)))]
        scores = engine.score([cell(trial.params) for trial in asked], measures=OBJECTIVES)
        for place, trial in enumerate(asked):
            values = [float(scores[key][place]) for key in OBJECTIVES]
            trial.set_user_attr("index", int(scores["index"][place]))
            if any(math.isnan(value) for value in values):
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                # naswot of a singular cell is minus infinity, the worst value that there is.
                study.tell(trial, values)
    return study


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--trials", type=int, default=64)
    arguments.add_argument("--batch", type=int, default=16, help="trials asked for at a time")
    arguments.add_argument("--images", type=int, default=32, help="images that scores are computed on")
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optimise(etnas.Engine(batch=given.images, seed=given.seed), given.trials, given.batch, given.seed)
    known = etnas.Accuracies()
    print(f"{len(study.trials)} trials; cells that no other trial beats by naswot and LogSynflow:")
    best = {trial.user_attrs["index"]: trial for trial in study.best_trials}
    for index, trial in sorted(best.items(), key=lambda item: item[1].values, reverse=True):
        accuracy = float(known.lookup(index)[0])
        told = f"{accuracy:.2f} %" if accuracy == accuracy else "unknown"
        print(f"{index:6} naswot {trial.values[0]:9.2f} LogSynflow {trial.values[1]:12.0f} accuracy {told:9} {cell(trial.params)}")


if __name__ == "__main__":
    main()
