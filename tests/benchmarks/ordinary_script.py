"""The script that `one_at_a_time` compares with: what a careful researcher writes to tune one batch size after another.

Optuna's TPE in a SQLite file, an ordinary PyTorch loop, one trial after the other, each a run in MLflow sent by
`log_batch`. The digits preset's data, model, space and grid of measurements. Trials stop at the target, at 4,000 steps
or when the loss is not finite; none is cut, and no winner is confirmed. It imports nothing of ours but the data.

Run as `python -m tests.benchmarks.ordinary_script FOLDER [--batch-sizes 8 64] [--trials 50] [--seed 0]`; it writes
`winners.json`, and prints a line after each study.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import optuna
import torch
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from torch import Tensor, nn
from torch.nn import functional

from objectives.data.digits import Digits

BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TARGET = 0.03
LIMIT = 4000
SPLITS = Digits().load()

Row = Mapping[str, float]


def suggest(trial: optuna.Trial) -> dict[str, float]:
    """The preset's space; momentum is searched as `1 - momentum` on a log scale."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 10, log=True),
        "momentum": 1 - trial.suggest_float("1 - momentum", 1e-3, 1, log=True),
        "end_factor": trial.suggest_float("end_factor", 1e-4, 1, log=True),
        "decay_steps": trial.suggest_float("decay_steps", 10, LIMIT, log=True),
    }


def minibatches(batch_size: int) -> Iterator[Tensor]:
    """Rows of one permutation after the other."""
    rows = torch.empty(0, dtype=torch.int64)
    while True:
        while len(rows) < batch_size:
            rows = torch.cat([rows, torch.randperm(len(SPLITS.train))])
        yield rows[:batch_size]
        rows = rows[batch_size:]


def train(point: Mapping[str, float], *, batch_size: int, seed: int) -> list[tuple[int, Row]]:
    """Train until the target is reached; what was measured at which step."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=point["learning_rate"], momentum=point["momentum"])

    def decay(step: int) -> float:
        return 1 - (1 - point["end_factor"]) * min(step / point["decay_steps"], 1)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, decay)
    curve: list[tuple[int, Row]] = []
    losses: list[Tensor] = []
    due = 1
    for step, rows in enumerate(minibatches(batch_size), start=1):
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(SPLITS.train.inputs[rows]), SPLITS.train.labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
        if step >= due:
            curve.append((step, measure(model, torch.stack(losses).mean())))
            losses, due = [], step + max(1, step * 3 // 100)
            reached = curve[-1][1]["validation/error"] < TARGET
            if reached or step >= LIMIT or not math.isfinite(curve[-1][1]["train/loss"]):
                break
    return curve


@torch.no_grad()
def measure(model: nn.Module, train_loss: Tensor) -> Row:
    """Loss and errors of the data held out."""
    validation, test = SPLITS.validation, SPLITS.test
    outputs = model(validation.inputs)
    return {
        "train/loss": train_loss.item(),
        "validation/loss": functional.cross_entropy(outputs, validation.labels).item(),
        "validation/error": (outputs.argmax(1) != validation.labels).double().mean().item(),
        "test/error": (model(test.inputs).argmax(1) != test.labels).double().mean().item(),
    }


def log(client: MlflowClient, experiment: str, name: str, point: Row, curve: list[tuple[int, Row]]) -> None:
    """Store a trial as a run."""
    run = client.create_run(experiment, run_name=name).info.run_id
    now = int(time.time() * 1000)
    metrics = [
        Metric(name, value, now, step) for step, row in curve for name, value in row.items() if math.isfinite(value)
    ]
    params = [Param(name, str(value)) for name, value in point.items()]
    client.log_batch(run, metrics=metrics[:1000], params=params)
    client.set_terminated(run)


def steps_to_target(curve: list[tuple[int, Row]]) -> float:
    """Steps; of a trial that fell short 4,000 and more, the further it did, so that TPE can tell them apart."""
    step, last = curve[-1]
    if last["validation/error"] < TARGET:
        return step
    return LIMIT * (1 + min(row["validation/error"] for _, row in curve))


def search(folder: Path, client: MlflowClient, *, batch_size: int, trials: int, seed: int) -> optuna.Study:
    """One study."""
    experiment = client.create_experiment(f"digits-{batch_size}")

    def objective(trial: optuna.Trial) -> float:
        point = suggest(trial)
        curve = train(point, batch_size=batch_size, seed=seed * 10_000 + trial.number)
        log(client, experiment, f"trial {trial.number}", point, curve)
        trial.set_user_attr("spent", curve[-1][0])
        return steps_to_target(curve)

    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'optuna.db'}",
        study_name=f"digits-{batch_size}",
        sampler=optuna.samplers.TPESampler(seed=seed),
    )
    study.optimize(objective, n_trials=trials)
    return study


def main() -> None:
    """Search, print, and keep the winners."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=BATCH_SIZES)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    # A unit that has died leaves a momentum below 1e-38, with which a processor computes ten times more slowly.
    torch.set_flush_denormal(True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    given.folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=f"sqlite:///{given.folder / 'mlflow.db'}")
    winners = {}
    for batch_size in given.batch_sizes:
        study = search(given.folder, client, batch_size=batch_size, trials=given.trials, seed=given.seed)
        spent = sum(each.user_attrs["spent"] for each in study.trials)
        best = dict(study.best_params)
        winners[batch_size] = {"momentum": 1 - best.pop("1 - momentum"), **best}
        used = time.process_time()
        print(f"batch size {batch_size}: {study.best_value:g} steps, {spent:,} spent, {used:.0f} CPU s", flush=True)
        (given.folder / "winners.json").write_text(json.dumps(winners))


if __name__ == "__main__":
    main()
