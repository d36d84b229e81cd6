"""Whether the minibatches of an experiment fit its model, before anything is trained."""

from collections.abc import Sequence

import torch

from objectives.data import Splits
from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.models import Architecture, Model, Network
from objectives.training.inputs.examples import Examples
from objectives.training.networks.accumulation import check_together
from objectives.training.networks.network import Computation, networks_for
from tuner.errors import ConfigError, Problem

CPU = torch.device("cpu")


def check_batch_sizes(
    model: Model | Architecture,
    splits: Splits,
    batch_sizes: Sequence[int],
    *,
    microbatch: int | None = None,
    loss: Loss = CROSS_ENTROPY,
) -> None:
    """Check that each batch size fits what a model normalises together. The model is made once, on the CPU.

    Args:
        model: The settings of the model.
        splits: The data.
        batch_sizes: Those of the experiment.
        microbatch: As `objective.microbatch` in a file has it.
        loss: What is minimised.

    Raises:
        ConfigError: Minibatches or microbatches would split a group of examples that are normalised together, or one
            example is too few to be normalised.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        network = networks_for(model, splits, Computation(), lanes=1, batch_size=1, device=CPU, loss=loss).now
    problems: list[Problem] = []
    for batch_size in batch_sizes:
        try:
            part = min(microbatch or batch_size, batch_size)
            check_together(network.together, batch_size=batch_size, microbatch=part)
        except ConfigError as error:
            problems += [each for each in error.problems if each not in problems]
    if 1 in batch_sizes and network.together != 1:
        problems += _problem_of_one_example(network, splits)
    if problems:
        raise ConfigError(problems)


def _problem_of_one_example(network: Network, splits: Splits) -> list[Problem]:
    """What is wrong with normalising one example, if anything: that one number is its own mean."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        row = network.initialise(torch.Generator().manual_seed(0)).unsqueeze(0)
        examples = Examples(splits.train, splits, device=CPU, dtype=torch.float32)
        inputs, labels = examples.inputs(slice(1)), examples.targets(slice(1))
        try:
            network.add_gradient(row, inputs.unsqueeze(0), labels.unsqueeze(0), torch.zeros_like(row))
        except ValueError:
            return [Problem("batch_sizes", "1 is too few: batch norm needs two examples or more to find a variance")]
    return []
