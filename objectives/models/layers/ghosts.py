"""Ghost batch norm (Hoffer et al. 2017): equal parts of a minibatch are normalised separately.

So the loss does not depend on the batch size.
"""

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
        ghosts = len(input) // self.ghost_size
        # Every channel of every ghost batch becomes a channel of its own.
        apart = input.reshape(ghosts, self.ghost_size, *input.shape[1:]).transpose(0, 1).flatten(1, 2)
        means, variances = torch.zeros(2, ghosts * self.num_features, dtype=self.weight.dtype, device=input.device)
        outputs = functional.batch_norm(
            apart, means, variances, self.weight.repeat(ghosts), self.bias.repeat(ghosts), True, 1.0, self.eps
        )
        self._remember(means.view(ghosts, -1), variances.view(ghosts, -1))
        return outputs.reshape(self.ghost_size, ghosts, *input.shape[1:]).transpose(0, 1).flatten(0, 1)

    @torch.no_grad()
    def _remember(self, means: Tensor, variances: Tensor) -> None:
        """Update the running averages by each ghost batch in turn, `[ghost, channel]`."""
        later = torch.arange(len(means) - 1, -1, -1, device=means.device)
        weights = self.momentum * (1 - self.momentum) ** later.to(means.dtype)
        for average, found in ((self.running_mean, means), (self.running_var, variances)):
            assert average is not None
            average.mul_((1 - self.momentum) ** len(means)).add_(weights @ found)
