"""A training loop that is a generator: `yield step, {"validation/error": 0.12}` is a measurement."""

import logging
import operator
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import SupportsIndex

from objectives.loops.devices import threads_limited
from objectives.loops.randomness import GlobalRandomness
from objectives.loops.trainer import ended_early
from tuner.errors import ContractError, OutOfMemory
from tuner.tracebacks import reason_of, user_frames
from tuner.trial import Failure, Measurement

log = logging.getLogger(__name__)


class GeneratorLoop:
    """Implements `Loop` by a generator. It begins when it is asked for its first measurement.

    Args:
        make: Calls the user's function.
        name: What messages call the function.
        seed: Where the global random numbers of the trial begin.
        device: Where it trains.
        max_steps: The budget, for messages.
        has_states: Whether the function can go on from a state that it yields.
    """

    def __init__(
        self,
        make: Callable[[], Iterator[object]],
        *,
        name: str,
        seed: int,
        device: str,
        max_steps: int | None,
        has_states: bool = False,
    ) -> None:
        self._make, self._name, self._max_steps, self._has_states = make, name, max_steps, has_states
        self._device, self._randomness = device, GlobalRandomness(seed)
        self._generator: Iterator[object] | None = None
        self._step, self._state = 0, b""

    def next(self) -> Measurement | Failure:
        modes = torch_modes()
        try:
            with self._randomness.in_use(), threads_limited(self._device):
                if self._generator is None:
                    self._generator = self._make()
                yielded = next(self._generator)
        except StopIteration:
            return Failure(ended_early(self._name, self._step, self._max_steps))
        except OutOfMemory:
            raise
        except (Exception, SystemExit) as error:
            if is_full(error):
                raise OutOfMemory(reason_of(error)) from error
            return Failure(reason_of(error), user_frames(error))
        if changed := modes.symmetric_difference(torch_modes()):
            message = f"{self._name} yielded within {', '.join(sorted(changed))}, in which other trials would train too"
            raise ContractError(f"{message}; yield after the with statement")
        return self._read(yielded)

    def save(self) -> tuple[bytes, Sequence[Measurement]]:
        if not self._has_states:
            raise NotImplementedError
        return self._state, ()

    def stop(self) -> None:
        """There is nothing to do: it stands still."""

    def close(self) -> None:
        """Close the generator: its `finally` blocks run. An error in one of them is logged."""
        close = getattr(self._generator, "close", None)
        if close is not None:
            try:
                with self._randomness.in_use():
                    close()
            except Exception as error:
                log.warning("%s raised as it was closed: %s", self._name, reason_of(error))

    def _read(self, yielded: object) -> Measurement:
        """What was yielded, as a measurement. Raises `ContractError`."""
        match yielded:
            case (step, Mapping() as metrics):
                state = None
            case (step, Mapping() as metrics, bytes() | None as state):
                if state is not None and not self._has_states:
                    message = f"{self._name} yielded a state, but has no parameter checkpoint to go on from it"
                    raise ContractError(message)
            case _:
                raise ContractError(self._wrong(yielded))
        if not isinstance(step, SupportsIndex):  # as numpy's whole numbers are
            raise ContractError(self._wrong(yielded))
        self._step = operator.index(step)
        self._state = state or self._state
        return Measurement(self._step, metrics)

    def _wrong(self, yielded: object) -> str:
        return (
            f"{self._name} yielded {reprlib.repr(yielded)}; it has to yield a whole number of steps and its metrics, "
            'as in yield 100, {"validation/error": 0.12}'
        )


def torch_modes() -> frozenset[str]:
    """The modes of torch that are on, and that a `with` statement switches for the whole thread. Loads no torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return frozenset()
    are_on = {
        "no_grad": not torch.is_grad_enabled() and not torch.is_inference_mode_enabled(),
        "inference_mode": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cuda") or torch.is_autocast_enabled("cpu"),
    }
    return frozenset(name for name, is_on in are_on.items() if is_on)


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory is full, on the host or on a device. It does not load torch."""
    if isinstance(error, MemoryError):
        return True
    if "torch" not in sys.modules:  # then nothing of it can have raised
        return False
    from objectives.training.devices import memory

    return memory.is_full(error)
