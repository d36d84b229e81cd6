"""A training step on a GPU, recorded once and replayed: its kernels start without the host.

See "CUDA graphs" in torch's documentation, whose rules this follows: warm up on a stream of its own, record, and give
each replay its inputs in the tensors that were recorded. Seeding torch's generator before a replay seeds the replay.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP = 3
"""Steps before recording, in which libraries choose their kernels and allocate their workspaces."""


class RecordedStep:
    """A recorded step. A call repeats it with new inputs of the same shapes, on the tensors that were recorded.

    Args:
        step: The step; it changes tensors in place and never waits for the device.
        given: Inputs of the same shapes and types as those of later calls.
        touched: All lasting tensors that the step changes. Recording leaves their values as they are.
        pool: Memory that is shared with other steps; only one of these steps may be replayed at a time.
    """

    def __init__(
        self,
        step: Callable[..., None],
        given: Sequence[Tensor],
        *,
        touched: Sequence[Tensor],
        pool: tuple[int, int] | None = None,
    ) -> None:
        self._given = [each.clone() for each in given]
        before = [each.clone() for each in touched]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                step(*self._given)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):  # type: ignore[arg-type]  # a type without a public name
            step(*self._given)
        for kept, old in zip(touched, before, strict=True):
            kept.copy_(old)

    def __call__(self, *given: Tensor) -> None:
        """Do the step once more."""
        for target, each in zip(self._given, given, strict=True):
            target.copy_(each)
        self._graph.replay()
