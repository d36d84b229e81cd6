"""Which models can be diagnosed, and trainers that do."""

from collections.abc import Callable

import torch

from objectives.data import Splits
from objectives.diagnostics.diagnosis import Diagnosis, sizes_for
from objectives.diagnostics.trainer import DiagnosingTrainer, TrainsAndGives, Weights
from objectives.losses import Loss
from objectives.models import Architecture, AsModule, Model, NamedWeights
from objectives.optimizers import Fisher
from objectives.training.inputs.examples import Examples
from objectives.training.networks.network import Computation, module_of, networks_for
from tuner.objective.diagnostics import EIGENVALUES, Diagnostic, deviation, eigenvalue


def diagnostics_of(model: Model | Architecture, splits: Splits) -> frozenset[str]:
    """The names of what can be measured; none if the model cannot be a torch module."""
    if not isinstance(model, Architecture | AsModule):
        return frozenset()
    spectrum = {eigenvalue(number) for number in range(1, EIGENVALUES + 1)}
    spread = {deviation(size) for size in sizes_for(splits.train.labels)[:-1]}
    return frozenset({*map(str, Diagnostic), *spectrum, *spread})


def diagnosing(
    trainer: TrainsAndGives,
    model: Model | Architecture,
    splits: Splits,
    *,
    loss: Loss,
    fisher: Fisher | None,
    batch_size: int,
) -> DiagnosingTrainer:
    """A trainer that measures the diagnostics, too.

    Args:
        trainer: Trains this model.
        model: One that can be a torch module.
        splits: The data.
        loss: What is minimised.
        fisher: Of which labels the optimizer needs factors, if any; what trials start from depends on it.
        batch_size: Examples of a minibatch.
    """
    device = torch.device(trainer.device)
    make, _ = module_of(model, splits)
    with torch.random.fork_rng(devices=[]):
        trained = [name for name, each in make().named_parameters() if each.requires_grad]
    examples = Examples(splits.train, splits, device=device, dtype=torch.float32)
    return DiagnosingTrainer(
        trainer,
        Diagnosis(make, loss, splits, examples, device),
        start=_starts(model, splits, loss=loss, fisher=fisher, batch_size=batch_size),
        trained=trained,
        batch_size=batch_size,
    )


def _starts(
    model: Model | Architecture, splits: Splits, *, loss: Loss, fisher: Fisher | None, batch_size: int
) -> Callable[[int], Weights]:
    """The parameters that a trial with a seed starts from, by name, as `LaneTrainer.load` draws them."""
    network = networks_for(
        model,
        splits,
        Computation(),
        lanes=1,
        batch_size=batch_size,
        device=torch.device("cpu"),
        loss=loss,
        fisher=fisher,
    ).now

    assert isinstance(network, NamedWeights)
    named = network.named_weights

    def start(seed: int) -> Weights:
        with torch.no_grad():
            return named(network.initialise(torch.Generator().manual_seed(seed)))

    return start
