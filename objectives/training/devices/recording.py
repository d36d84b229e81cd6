"""Steps on a GPU, recorded once as branches of one CUDA graph and replayed: their kernels start without the host.

See "CUDA graphs" in torch's documentation, whose rules this follows: warm up on other streams, record, and give each
replay its inputs in the tensors that were recorded.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

WARM_UP = 3
"""Steps before recording, in which libraries choose their kernels and allocate their workspaces."""
STREAMS = 32
"""Streams that torch has. Further branches follow others in the same stream."""

Branch = Callable[[], None]
Replay = Callable[[Sequence[int]], None]
"""Repeats what was recorded. It takes a seed for each branch, or none if the branches draw no random numbers."""


class Recorder(Protocol):
    """Records steps on a device. All its recordings share memory: one may be replayed at a time, the others wait."""

    def record(self, branches: Sequence[Branch], *, draws: bool) -> Replay:
        """Record branches that run side by side. They may run any number of times meanwhile, also if recording fails.

        Args:
            branches: What is recorded.
            draws: Whether they draw from torch's generator of the device. A replay seeds it anew for each branch.
        """
        ...


def recorder_for(device: torch.device) -> Callable[[], Recorder] | None:
    """Makes a recorder on a GPU; None elsewhere, where steps are not recorded."""
    return GpuRecorder if device.type == "cuda" else None


class RecordedBranches:
    """Recorded steps that run side by side. A call repeats all of them with new inputs of the same shapes.

    Args:
        steps: A step for each branch, called with the inputs. It changes tensors in place and never waits for the
            device. No step may change what another step reads.
        given: Inputs of the same shapes and types as those of later calls.
        touched: All lasting tensors that the steps change. Recording leaves their values as they are, even if it fails.
        draws: Whether the steps draw random numbers. A call then needs a seed for each step.
        recorder: What records them; by default one for the current GPU, whose memory is shared with no other recording.
    """

    def __init__(
        self,
        steps: Sequence[Callable[..., None]],
        given: Sequence[Tensor],
        *,
        touched: Sequence[Tensor] = (),
        draws: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self._given = [each.clone() for each in given]
        branches = [partial(step, *self._given) for step in steps]
        with _values_kept(touched):
            self._replay = (recorder or GpuRecorder()).record(branches, draws=draws)

    def __call__(self, *given: Tensor, seeds: Sequence[int] = ()) -> None:
        """Do the steps once more."""
        for target, each in zip(self._given, given, strict=True):
            target.copy_(each)
        self._replay(seeds)


class GpuRecorder:
    """Implements `Recorder` by CUDA graphs on the current GPU: a stream and a random generator for each branch.

    After a failed recording it must not be used again: torch gives a pool of memory up with the last graph in it.
    """

    def __init__(self) -> None:
        self._memory = torch.cuda.graph_pool_handle()
        # Memory is used again within a stream only, so that recordings that share memory must share streams.
        self._streams: list[torch.cuda.Stream] = []

    def record(self, branches: Sequence[Branch], *, draws: bool) -> Replay:
        while len(self._streams) < min(len(branches), STREAMS):
            self._streams.append(torch.cuda.Stream())  # type: ignore[no-untyped-call]
        generators = [torch.Generator("cuda") for _ in branches] if draws else []
        for _ in range(WARM_UP):
            self._run(branches, generators)
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self._memory):
            self._run(branches, generators)

        def replay(seeds: Sequence[int]) -> None:
            for generator, seed in zip(generators, seeds, strict=True):
                generator.manual_seed(seed)
            graph.replay()

        return replay

    def _run(self, branches: Sequence[Branch], generators: Sequence[torch.Generator]) -> None:
        """Run each branch in its stream. The current stream waits for all that began, so that a recording can end."""
        main = torch.cuda.current_stream()
        begun: list[torch.cuda.Stream] = []
        try:
            for number, branch in enumerate(branches):
                stream = self._streams[number % STREAMS]
                stream.wait_stream(main)
                begun.append(stream)
                drawing = _drawing_from(generators[number]) if generators else nullcontext()
                with torch.cuda.stream(stream), drawing:
                    branch()
        finally:
            for stream in begun:
                main.wait_stream(stream)


@contextmanager
def _drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Makes torch's generator of the current GPU share the state of another."""
    default = torch.cuda.default_generators[torch.cuda.current_device()]
    own = default.graphsafe_get_state()
    default.graphsafe_set_state(generator)
    try:
        yield
    finally:
        default.graphsafe_set_state(own)


@contextmanager
def _values_kept(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Gives tensors back the values that they had before."""
    before = [each.clone() for each in tensors]
    try:
        yield
    finally:
        for kept, old in zip(tensors, before, strict=True):
            kept.copy_(old)
