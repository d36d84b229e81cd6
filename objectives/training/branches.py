"""Training on a GPU: recorded steps, in which the groups of lanes are branches."""

from collections.abc import Callable, Sequence, Set
from functools import partial

from torch import Tensor

from objectives.training.devices.halving import in_parts
from objectives.training.devices.recording import RecordedBranches, Recorder
from objectives.training.groups import Group


class Branches:
    """The recorded steps of all groups: side by side in one recording, or in several if memory is short.

    Microbatches are settled before branches: by the first step that warms up, which has the memory to itself.

    Args:
        groups: Groups of all lanes. The network is the same for all.
        given: What a step of a group is given, `[lane, ...]`.
        make: Makes a recorder.
        side_by_side: Groups of a recording, at most; by default all.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        given: Sequence[Tensor],
        *,
        make: Callable[[], Recorder],
        side_by_side: int | None = None,
    ) -> None:
        # A network that computes its own gradients works in its own buffers, which hold one call at a time.
        at_most = side_by_side if groups[0].network.autograd else 1

        def record(part: slice, recorder: Recorder) -> tuple[slice, RecordedBranches]:
            return _recorded(groups[part], given, recorder)

        self._parts = in_parts(record, len(groups), make=make, at_most=at_most)

    def train(self, given: Sequence[Tensor], noise: Tensor | None, *, vacant: Set[int]) -> None:
        """Train all lanes. Vacant lanes are trained along with the lanes of their recording, if those hold a trial.

        Args:
            given: What the steps of a group are given, `[step, lane, ...]`.
            noise: Seeds of the steps' random numbers, `[step, lane]`, on the host. None if the network draws none.
            vacant: Lanes without a trial.
        """
        for lanes, step in self._parts:
            if vacant >= set(range(lanes.start, lanes.stop)):
                continue
            seeds = [[]] * len(given[0]) if noise is None else noise[:, lanes].tolist()
            for *minibatch, each in zip(*(tensor[:, lanes].unbind() for tensor in given), seeds, strict=True):
                step(*minibatch, seeds=each)


def _recorded(groups: Sequence[Group], given: Sequence[Tensor], recorder: Recorder) -> tuple[slice, RecordedBranches]:
    """The lanes of neighbouring groups, and their recorded step."""
    lanes = slice(groups[0].lanes.start, groups[-1].lanes.stop)
    recorded = RecordedBranches(
        [partial(_step, group, lanes.start) for group in groups],
        [each[lanes] for each in given],
        touched=[tensor for group in groups for tensor in group.touched],
        draws=groups[0].network.draws,
        recorder=recorder,
    )
    return lanes, recorded


def _step(group: Group, first: int, *given: Tensor) -> None:
    """A step of a group that is given the minibatches of all lanes from `first` on."""
    group.step(*(each[group.lanes.start - first : group.lanes.stop - first] for each in given))
