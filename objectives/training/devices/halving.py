"""As many branches in a recording as memory allows."""

import gc
import logging
from collections.abc import Callable
from typing import TypeVar

from objectives.training.devices.memory import is_full
from objectives.training.devices.recording import Recorder

log = logging.getLogger(__name__)

Recorded = TypeVar("Recorded")


def in_parts(
    record: Callable[[slice, Recorder], Recorded],
    branches: int,
    *,
    make: Callable[[], Recorder],
    at_most: int | None = None,
) -> list[Recorded]:
    """Recordings of all branches, in order. If memory is full, all are recorded again with half as many in each.

    Args:
        record: Records some of the branches. If it fails, it leaves the values of all tensors as they were.
        branches: The number of branches.
        make: Makes a recorder. All recordings are made by one, and share its memory.
        at_most: Branches of a recording; by default all.

    Raises:
        RuntimeError: Memory is full even with one branch in each recording, or recording failed for another reason.
    """
    together = min(at_most or branches, branches)
    while True:
        try:
            recorder = make()
            return [record(slice(first, first + together), recorder) for first in range(0, branches, together)]
        except RuntimeError as error:
            if together == 1 or not is_full(error):
                raise
        gc.collect()  # of what failed, whose memory the next try needs
        together = (together + 1) // 2
        log.warning("memory is full: %d lanes are trained at once, and the others after them", together)
