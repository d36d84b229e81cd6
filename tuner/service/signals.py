"""The signals that ask a process to end, and handlers for them that last as long as a context.

The standard library sets handlers but does not restore them, and no small well-kept package does.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 20.0
"""How long after a signal a chunk of training may go on. Kubernetes kills after 30 seconds, Docker after 10."""


@contextmanager
def handled_by(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within the context, this function handles SIGINT and SIGTERM."""
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
