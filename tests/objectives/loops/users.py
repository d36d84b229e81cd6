"""Training loops as users write them, good and bad."""

import random
import struct
from collections.abc import Iterator, Mapping
from functools import wraps

Yielded = tuple[int, Mapping[str, float]]
events: list[str] = []
"""What loops did that left no other trace."""


def decay(
    *, learning_rate: float, width: int = 3, batch_size: int, seed: int, checkpoint: bytes | None = None
) -> Iterator[tuple[int, Mapping[str, float], bytes]]:
    """The error shrinks by a share that the learning rate and chance decide; it goes on from a checkpoint."""
    step, error = struct.unpack("<qd", checkpoint) if checkpoint else (0, 1.0)
    while True:
        chance = random.Random(f"{seed} {step}").random()
        step, error = step + 1, error * (1 - learning_rate * chance / width)
        yield step, {"validation/error": error}, struct.pack("<qd", step, error)


def tells_examples(*, learning_rate: float, batch_size: int, max_steps: int) -> Iterator[Yielded]:
    for step in range(1, max_steps + 1):
        yield step, {"train/examples": 640, "validation/error": (1 - learning_rate) ** step}


def seeded_globally(*, learning_rate: float, batch_size: int, seed: int) -> Iterator[Yielded]:
    """Draws from the random numbers that all of Python shares."""
    random.seed(seed)
    for step in range(1, 100):
        yield step, {"validation/error": random.random()}


def unseeded(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    for step in range(1, 100):
        yield step, {"validation/error": random.random()}


def tidy(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    try:
        yield 1, {"validation/error": 0.5}
        yield 2, {"validation/error": 0.4}
    finally:
        events.append(f"closed {learning_rate}")


def untidy(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    try:
        yield 1, {"validation/error": 0.5}
    finally:
        raise RuntimeError("the file is gone")


def breaks(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    """Raises as it takes its third step, if the learning rate is above 1."""
    for step in range(1, 10):
        if step == 3 and learning_rate > 1:
            raise ValueError(f"the loss is\n{learning_rate}")
        yield step, {"validation/error": 1 / step}


def exits(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    raise SystemExit(3)
    yield 1, {}


def breaks_at_once(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    raise FileNotFoundError("no data here")
    yield 1, {}


def ends(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    yield 300, {"validation/error": 0.5}


def full(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    yield 1, {"validation/error": 0.5}
    raise MemoryError("no room for 3 GiB")


def full_gpu(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    import torch

    yield 1, {"validation/error": 0.5}
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")


def yields(*, what: str, batch_size: int) -> Iterator[object]:
    """Yields no measurement."""
    yield {
        "None": None,
        "step": 3,
        "metrics": {"validation/error": 0.5},
        "float": (1.5, {}),
        "list": (1, [0.5]),
        "four": (1, {}, b"", 2),
        "text": (1, {}, "state"),
        "state": (1, {}, b"state"),
    }[what]


def counts_threads(*, learning_rate: float, batch_size: int) -> Iterator[Yielded]:
    import torch

    yield 1, {"validation/error": 0.5}
    yield 2, {"threads": torch.get_num_threads()}


def yields_within(*, mode: str, batch_size: int) -> Iterator[Yielded]:
    import torch

    context = torch.autocast("cpu") if mode == "autocast" else getattr(torch, mode)()
    with context:
        yield 1, {"validation/error": 0.5}


def forgets(*, learning_rate: float, batch_size: int, checkpoint: bytes | None) -> Iterator[tuple[object, ...]]:
    """Yields a state at every third step only, and cannot read it."""
    if checkpoint is not None:
        raise EOFError("the state is cut short")
    for step in range(1, 100):
        yield step, {"validation/error": 1 / step}, b"state" if step % 3 == 0 else None


def plain(*, learning_rate: float, batch_size: int) -> list[Yielded]:
    return [(1, {"validation/error": 0.5})]


def by_position(learning_rate: float, /, batch_size: int) -> Iterator[Yielded]:
    yield 1, {}


def anything(**settings: float) -> Iterator[Yielded]:
    yield 1, {}


def without_batch_size(*, learning_rate: float) -> Iterator[Yielded]:
    yield 1, {}


@wraps(tells_examples)
def wrapped(*args: object, **given: float) -> Iterator[Yielded]:
    return tells_examples(*args, **given)  # type: ignore[arg-type]


NOT_A_FUNCTION = 3
