"""All that is measured where a trial stands, and of which examples."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from objectives.data import Splits
from objectives.diagnostics.hessian import curvature
from objectives.diagnostics.noise import Norms, deviations, noise_scale, norms_of
from objectives.diagnostics.sharpness import sharpness, subspace_sharpness
from objectives.diagnostics.training_loss import INPUTS_AT_ONCE, TrainingLoss
from objectives.losses import Loss
from objectives.training.devices.arithmetic import denormals_flushed, deterministic_kernels, one_thread, tensor_cores
from objectives.training.devices.memory import is_full, sent
from objectives.training.inputs.examples import Examples
from objectives.training.measuring.evaluation import block_of
from tuner.objective.diagnostics import EIGENVALUES, Diagnostic, deviation, eigenvalue
from tuner.trial import hash_seed

log = logging.getLogger(__name__)

EXAMPLES = 1024
"""Training examples whose mean loss is looked at, the same for all trials; fewer texts, and fewer if there are not so
many. The noise is that of minibatches of all training examples."""
SHARE_OF_SMALLEST = 64
RATIO = 4
"""Minibatches have `EXAMPLES` examples, and a quarter of that, down to a sixty-fourth."""
DRAWS = 16
PRODUCTS = 60
"""Products of the Hessian with vectors that its trace is estimated from."""
WIDE, NARROW = 1e-3, 5e-4
"""The two boxes of Keskar et al."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is measured of the parameters of a trial.

    Attributes:
        make: Makes the module.
        loss: What is minimised.
        splits: The data.
        train: All training examples, without random changes.
        device: Where it is computed.
    """

    make: Callable[[], nn.Module]
    loss: Loss
    splits: Splits
    train: Examples
    device: torch.device

    def of(self, weights: Mapping[str, Tensor], *, seed: int) -> dict[str, float]:
        """The diagnostics that can be computed, by name; none if the parameters are not finite.

        Args:
            weights: Parameters and running averages, by name.
            seed: Of all random numbers.
        """
        if not all(each.isfinite().all() for each in weights.values()):
            return {}
        found: dict[str, float] = {}
        with _computing(self.device):
            loss = self._loss_at(weights)
            for part in (_loss, _sharpness, _curvature, partial(_noise, self)):
                try:
                    found |= part(loss, hash_seed("diagnosis", seed))
                except (RuntimeError, NotImplementedError) as error:
                    if is_full(error):
                        raise
                    log.warning("a diagnostic of %s is left out: %s", type(loss.module).__name__, error)
        return {str(name): value for name, value in found.items() if isfinite(value)}

    def draw(self, sizes: tuple[int, ...], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs `[minibatch, example, ...]` and targets of minibatches of the smallest size, drawn independently."""
        rows = torch.randint(len(self.train), (sizes[-1],), generator=generator)
        inputs, targets = self._examples(rows)
        return inputs.view(-1, sizes[0], *inputs.shape[1:]), targets.view(-1, sizes[0], *targets.shape[1:])

    def _loss_at(self, weights: Mapping[str, Tensor]) -> TrainingLoss:
        """The training loss over the examples that are looked at, at these parameters."""
        with torch.random.fork_rng(devices=[]):
            module = self.make()
        module.load_state_dict(dict(weights))
        rows = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))
        chosen = rows[: block_of(self.train.labels, EXAMPLES)]
        size = max(1, INPUTS_AT_ONCE // self.train.features)
        blocks = tuple(self._examples(each) for each in torch.split(chosen, size))
        return TrainingLoss(module.to(self.device).eval(), self.loss, blocks)

    def _examples(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs as the module takes them and targets, on the device."""
        at_home = sent(rows, self.train.home)
        return self.train.inputs(at_home).view(-1, *self.splits.shape), self.train.targets(at_home)


def sizes_for(labels: Tensor) -> tuple[int, ...]:
    """The sizes of minibatches whose gradients are compared, ascending.

    >>> sizes_for(torch.zeros(3, dtype=torch.int64))
    (16, 64, 256, 1024)
    """
    size = max(1, block_of(labels, EXAMPLES) // SHARE_OF_SMALLEST)
    return (size, size * RATIO, size * RATIO**2, size * RATIO**3)


def _loss(loss: TrainingLoss, seed: int) -> dict[str, float]:  # noqa: ARG001 - it draws nothing
    return {Diagnostic.LOSS: loss.gradient(loss.point)[0]}


def _sharpness(loss: TrainingLoss, seed: int) -> dict[str, float]:
    found = {
        Diagnostic.SHARPNESS: sharpness(loss, reach=WIDE, seed=seed),
        Diagnostic.SHARPNESS_SMALL: sharpness(loss, reach=NARROW, seed=seed),
        Diagnostic.SUBSPACE_SHARPNESS: subspace_sharpness(loss, reach=WIDE, seed=seed),
        Diagnostic.SUBSPACE_SHARPNESS_SMALL: subspace_sharpness(loss, reach=NARROW, seed=seed),
    }
    return {name: value for name, value in found.items() if value is not None}


def _curvature(loss: TrainingLoss, seed: int) -> dict[str, float]:
    found = curvature(loss, eigenvalues=EIGENVALUES, products=PRODUCTS, seed=seed)
    values = {eigenvalue(number): each for number, each in enumerate(found.eigenvalues, start=1)}
    return {**values, Diagnostic.TRACE: found.trace}


def _noise(of: Diagnosis, loss: TrainingLoss, seed: int) -> dict[str, float]:
    sizes, generator = sizes_for(of.train.labels), torch.Generator().manual_seed(seed)
    draws = [norms_of(loss.gradients(*of.draw(sizes, generator)), sizes) for _ in range(DRAWS)]
    norms = Norms(sizes, torch.stack(draws).cpu())
    scale = noise_scale(norms)
    spread = {deviation(size): each for size, each in zip(sizes, deviations(norms).tolist(), strict=False)}
    return spread | {
        Diagnostic.SQUARED_GRADIENT: scale.squared_gradient,
        Diagnostic.NOISE_TRACE: scale.trace,
        Diagnostic.NOISE_SCALE: scale.value,
        Diagnostic.NOISE_SCALE_LOW: scale.low,
        Diagnostic.NOISE_SCALE_HIGH: scale.high,
    }


@contextmanager
def _computing(device: torch.device) -> Iterator[None]:
    """The settings under which everything is computed. Fused attention cannot be differentiated twice."""
    with (
        one_thread(),
        denormals_flushed(),
        tensor_cores(allowed=False),
        deterministic_kernels(device, wanted=True),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield
