"""K-FAC (Martens and Grosse 2015), for convolutions in the form of Grosse and Martens 2016; with or without momentum.

The Fisher matrix is taken to be one block for each layer, the Kronecker product of two small factors: `A`, the second
moment of the layer's inputs, and `G`, that of the gradients by its outputs. So its inverse is that of two small ones.

Of the first paper are here: the factors and their moving averages (section 5), damping that is factored with `pi`
(section 6.3), blocks without what connects them (section 4.2), and inverses that are kept for some steps (section 8).
Not here are the learning rate, momentum and damping that its quadratic model of the loss chooses (sections 6.4 to 6.6
and 7), nor block-tridiagonal inverses (section 4.3): all three are hyperparameters, as in Zhang et al. 2019 (arXiv
1907.04164), whose schedule and momentum act on what the inverses make of the gradient.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.bounds.domains import DOMAINS, PAST, POSITIVE, Domain
from objectives.models import Factors, Layer, Layout
from objectives.optimizers import FactoredProblem, Fisher, Problem, State
from objectives.optimizers.parts.decay import DISPENSABLE, NONE, Decay, add_decay, decay_numbers, shrink

__all__ = ["Kfac"]


@dataclass(frozen=True, slots=True)
class Kfac:
    """`v = momentum v + G^-1 gradient A^-1` for each layer; `parameters -= learning_rate v`.

    The gradient of a layer is a matrix `[output, input]`, whose last column is that of the biases. Parameters of other
    layers, such as the scales of norms, move by their plain gradient; and so do layers whose factors are zero, because
    they are not called as modules or because nothing arrives there.

    Hyperparameters: `damping`, of the Fisher matrix; each factor gets about its square root. `momentum` is 0 unless
    given. `update_interval` is the number of steps from one update of factors and inverses to the next, 10 unless
    given. `factor_decay` is the weight that an update leaves to the factors before, 0.95 unless given; early factors
    are the mean of all so far, as in the paper.

    Attributes:
        fisher: Of which labels `G` is. See `objectives.optimizers.Fisher`.
        decay: Of the weights: `coupled`, which the inverses are applied to as well, or `decoupled`.
    """

    fisher: Fisher = Fisher.SAMPLED
    decay: Decay = Decay.COUPLED
    dispensable = DISPENSABLE

    @property
    def hyperparameters(self) -> frozenset[str]:
        return frozenset({"learning_rate", "damping", *self.defaults})

    @property
    def defaults(self) -> Mapping[str, float]:
        """See `objectives.optimizers.HasDefaults`."""
        return {"momentum": 0.0, "factor_decay": 0.95, "update_interval": 10.0, **NONE}

    @property
    def domains(self) -> Mapping[str, Domain]:
        """See `objectives.bounds.domains.HasDomains`."""
        return {**DOMAINS, "damping": POSITIVE, "factor_decay": PAST, "update_interval": Domain(least=1.0)}

    def numbers(self, step: Tensor, hyperparameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See `objectives.optimizers.Prepares`.

        `kept_of_factors` is the weight of the factors so far in an update, or -1 if none is due.
        """
        interval = hyperparameters["update_interval"].round().clamp_min(1)
        updates = torch.div(step, interval, rounding_mode="floor") + 1
        kept = torch.minimum(1 - 1 / updates, hyperparameters["factor_decay"])  # section 5
        is_due = torch.remainder(step, interval) == 0
        return {
            **{name: hyperparameters[name] for name in ("learning_rate", "momentum", "damping")},
            "kept_of_factors": torch.where(is_due, kept, -1.0),
            **decay_numbers(self.decay, hyperparameters),
        }

    def initial_state(self, parameters: Tensor, layout: Layout) -> State:
        """The velocity, and for each layer the factors and their inverses, `[lane, side, side]`."""
        lanes = len(parameters)
        shapes = [(lanes, side, side) for layer in layout.layers for side in 2 * layer.sides]
        return torch.zeros_like(parameters), *(parameters.new_zeros(shape) for shape in shapes)

    def step(self, problem: Problem, parameters: Tensor, state: State, numbers: Mapping[str, Tensor]) -> Tensor:
        velocity, *matrices = state
        is_due = numbers["kept_of_factors"] >= 0
        if is_due.any():  # waits for a GPU
            assert isinstance(problem, FactoredProblem)
            losses, gradients, found = problem.gradient_and_factors(parameters)
            for index, factors in enumerate(found):
                _update(matrices[4 * index : 4 * index + 4], factors, numbers)
        else:
            losses, gradients = problem.gradient(parameters)
        add_decay(gradients, parameters, numbers, problem.layout)
        for index, layer in enumerate(problem.layout.layers):
            _precondition(gradients, layer, below=matrices[4 * index + 2], above=matrices[4 * index + 3])
        velocity.mul_(numbers["momentum"]).add_(gradients)
        shrink(parameters, numbers, problem.layout)
        parameters.addcmul_(velocity, numbers["learning_rate"], value=-1)
        return losses


def _update(matrices: list[Tensor], found: Factors, numbers: Mapping[str, Tensor]) -> None:
    """Move a layer's factors and compute their inverses anew, in the lanes whose update is due."""
    kept, damping = numbers["kept_of_factors"].unsqueeze(2), numbers["damping"].unsqueeze(2)
    is_due = kept >= 0
    factors, inverses = matrices[:2], matrices[2:]
    for factor, new in zip(factors, found, strict=True):
        factor.copy_(torch.where(is_due, torch.lerp(new, factor, kept), factor))
    for inverse, new in zip(inverses, damped_inverses(factors[0], factors[1], damping), strict=True):
        inverse.copy_(torch.where(is_due, new, inverse))


def _precondition(gradients: Tensor, layer: Layer, *, below: Tensor, above: Tensor) -> None:
    """Replace a layer's gradient, in place, by its product with the inverses of both factors."""
    stop = layer.weights + layer.outputs * layer.inputs
    weights = gradients[:, layer.weights : stop].view(-1, layer.outputs, layer.inputs)
    if layer.biases is None:
        weights.copy_(above @ weights @ below)
        return
    biases = gradients[:, layer.biases : layer.biases + layer.outputs].unsqueeze(2)
    changed = above @ torch.cat([weights, biases], 2) @ below
    weights.copy_(changed[..., :-1])
    biases.copy_(changed[..., -1:])


def damped_inverses(below: Tensor, above: Tensor, damping: Tensor) -> Factors:
    """Inverses of `A + pi sqrt(damping) I` and `G + sqrt(damping) / pi I` (section 6.3); `pi` balances their traces.

    Identities in a lane where a factor is zero.

    Args:
        below: `A`, `[lane, side, side]`.
        above: `G`.
        damping: `[lane, 1, 1]`.
    """
    means = [each.diagonal(dim1=1, dim2=2).mean(1).view(-1, 1, 1) for each in (below, above)]
    is_zero = (means[0] == 0) | (means[1] == 0)
    # Of the roots, since the ratio itself could overflow.
    pi = torch.where(is_zero, 1.0, means[0].sqrt() / means[1].sqrt())
    root = damping.sqrt()
    inverses = []
    for factor, added in ((below, pi * root), (above, root / pi)):
        identity = torch.eye(factor.shape[1], device=factor.device, dtype=factor.dtype)
        inverses.append(torch.where(is_zero, identity, _inverse(factor, added, identity)))
    return inverses[0], inverses[1]


def _inverse(factor: Tensor, added: Tensor, identity: Tensor) -> Tensor:
    """The inverse of `factor + added I`, `[lane, side, side]`; not a number where the sum is not finite."""
    damped = factor + added * identity
    triangle, failed = torch.linalg.cholesky_ex(damped)
    has_failed = (failed != 0).view(-1, 1, 1) | ~damped.isfinite().all(2, True).all(1, True)
    inverse = torch.cholesky_inverse(torch.where(has_failed, identity, triangle))
    if not has_failed.any():
        return inverse
    return torch.where(has_failed, _by_eigenvalues(factor, added), inverse)


def _by_eigenvalues(factor: Tensor, added: Tensor) -> Tensor:
    """The same, where rounding made the sum indefinite: a second moment has no negative eigenvalues."""
    is_finite = (factor + added).isfinite().all(2, True).all(1, True)
    values, vectors = torch.linalg.eigh(torch.where(is_finite, factor, 0.0).double())
    inverse = (vectors / (values.clamp_min(0).unsqueeze(1) + added.double())) @ vectors.mT
    return torch.where(is_finite, inverse, torch.nan).to(factor.dtype)
