"""Ghost batch norm (Hoffer et al. 2017): equal parts of a minibatch are normalised separately.

So the loss does not depend on the batch size.
"""

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional


class GhostBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of every `ghost_size` examples separately. Running averages are updated once for each ghost batch.

    Takes `[example, channel, ...]`. A minibatch is a multiple of the ghost batch, or smaller than one ghost batch and
    then normalised as a whole.

    Args:
        channels: The number of channels.
        ghost_size: Examples that are normalised together.
        momentum: Weight of a ghost batch in the running averages.
    """

    momentum: float

    def __init__(self, channels: int, ghost_size: int = 32, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.ghost_size = ghost_size

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"ghost batch norm needs [example, channel, ...], not {input.dim()} dimension")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or len(input) <= self.ghost_size:
            return super().forward(input)
        self._check_input_dim(input)
        ghosts, rest = divmod(len(input), self.ghost_size)
        if rest:
            raise ValueError(f"{len(input)} examples are not a multiple of the {self.ghost_size} of a ghost batch")
        # Every channel of every ghost batch becomes a channel of its own.
        apart = input.reshape(ghosts, self.ghost_size, *input.shape[1:]).transpose(0, 1).flatten(1, 2)
        means, variances = torch.zeros(2, ghosts * self.num_features, dtype=self.weight.dtype, device=input.device)
        outputs = functional.batch_norm(
            apart, means, variances, self.weight.repeat(ghosts), self.bias.repeat(ghosts), True, 1.0, self.eps
        )
        self._remember(means.view(ghosts, -1), variances.view(ghosts, -1))
        return outputs.reshape(self.ghost_size, ghosts, *input.shape[1:]).transpose(0, 1).flatten(0, 1)

    def extra_repr(self) -> str:
        return f"{self.num_features}, ghost_size={self.ghost_size}, eps={self.eps}, momentum={self.momentum}"

    @torch.no_grad()
    def _remember(self, means: Tensor, variances: Tensor) -> None:
        """Update the running averages by each ghost batch in turn, `[ghost, channel]`."""
        later = torch.arange(len(means) - 1, -1, -1, device=means.device)
        weights = self.momentum * (1 - self.momentum) ** later.to(means.dtype)
        for average, found in ((self.running_mean, means), (self.running_var, variances)):
            assert average is not None
            average.mul_((1 - self.momentum) ** len(means)).add_(weights @ found)


def has_batch_norm(module: nn.Module) -> bool:
    """Whether a module has ordinary batch norm anywhere."""
    return any(map(_is_ordinary, module.modules()))


def with_ghosts(module: nn.Module, ghost_size: int = 32) -> nn.Module:
    """The module, with ghost batch norm in place of each ordinary batch norm. It is changed in place.

    The new layers have the parameters, running averages and settings of the old ones.

    Raises:
        ValueError: A batch norm has no weights, no running averages or no momentum.
    """
    made: dict[nn.Module, GhostBatchNorm] = {}
    for path, each in list(module.named_modules(remove_duplicate=False)):
        if not _is_ordinary(each):
            continue
        if each not in made:
            made[each] = _ghost_of(each, ghost_size)
        if not path:
            return made[each]
        module.set_submodule(path, made[each])
    return module


def together_in(module: nn.Module) -> int | None:
    """How many examples a module normalises together: 1 if none, None if all of a minibatch.

    Raises:
        ValueError: Batch norm averages over all minibatches it has seen, or ghost batches are of different sizes.
    """
    together = 1
    for each in module.modules():
        if isinstance(each, GhostBatchNorm):
            if together not in (1, each.ghost_size):
                sizes = f"{together} and of {each.ghost_size}"
                raise ValueError(f"{type(module).__name__} has ghost batches of {sizes} examples; give all one size")
            together = each.ghost_size
        elif isinstance(each, nn.modules.batchnorm._NormBase) and each.track_running_stats and each.momentum is None:
            raise ValueError(f"{type(each).__name__} without momentum counts minibatches, as lanes do not; give it one")
        elif isinstance(each, nn.modules.batchnorm._BatchNorm):
            return None
    return together


def _is_ordinary(module: nn.Module) -> TypeGuard[nn.modules.batchnorm._BatchNorm]:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, GhostBatchNorm)


def _ghost_of(norm: nn.modules.batchnorm._BatchNorm, ghost_size: int) -> GhostBatchNorm:
    """Ghost batch norm that shares all tensors with another norm. Raises `ValueError` as `with_ghosts`."""
    if not norm.affine or not norm.track_running_stats or norm.momentum is None:
        raise ValueError(f"{norm} needs weights, running averages and a momentum, as ghost batch norm has them")
    ghost = GhostBatchNorm(norm.num_features, ghost_size, eps=norm.eps, momentum=norm.momentum)
    ghost.weight, ghost.bias = norm.weight, norm.bias
    ghost.running_mean, ghost.running_var = norm.running_mean, norm.running_var
    ghost.num_batches_tracked = norm.num_batches_tracked
    return ghost.train(norm.training)
