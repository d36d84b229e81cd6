"""Recorders that stand in for those of a GPU, and a GPU's with too little memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from objectives.training.devices.recording import Branch, GpuRecorder, Replay

PETABYTE = 2**50


@dataclass
class EagerRecorder:
    """Records nothing: a replay runs the branches one after the other on the CPU.

    Attributes:
        room: The branches that one recording holds. With more, the branches that fit run and the next one fails.
        recorded: The number of branches of each recording.
    """

    room: int = 100
    recorded: list[int] = field(default_factory=list)

    def record(self, branches: Sequence[Branch], *, draws: bool) -> Replay:
        self.recorded.append(len(branches))
        for branch in branches[: self.room]:
            branch()
        if len(branches) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")

        def replay(seeds: Sequence[int]) -> None:
            for number, branch in enumerate(branches):
                if draws:
                    torch.manual_seed(seeds[number])
                branch()
            assert len(seeds) == (len(branches) if draws else 0)

        return replay


class CrampedRecorder(GpuRecorder):
    """Asks the GPU for more memory than there is while it records more branches than fit."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def record(self, branches: Sequence[Branch], *, draws: bool) -> Replay:
        def with_more(branch: Branch) -> None:
            branch()
            if torch.cuda.is_current_stream_capturing():
                torch.empty(PETABYTE, dtype=torch.uint8, device="cuda")

        crammed = [partial(with_more, each) if number >= self._room else each for number, each in enumerate(branches)]
        return super().record(crammed, draws=draws)
