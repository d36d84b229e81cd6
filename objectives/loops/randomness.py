"""The global random numbers of Python, numpy and torch, one sequence for each of the loops that share a process.

A loop that seeds them and draws from them would otherwise see those that its neighbours leave.
"""

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from objectives.loops.told import short_seed


class GlobalRandomness:
    """The sequence of one loop, which begins at its seed."""

    def __init__(self, seed: int) -> None:
        self._seed = short_seed(seed)
        self._states: Mapping[str, object] = {}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within it, the global random numbers are those of this loop."""
        outside = _states()
        for name in outside:
            _restore(name, self._states[name]) if name in self._states else _seed(name, self._seed)
        try:
            yield
        finally:
            self._states = _states()
            for name, state in outside.items():
                _restore(name, state)


def _states() -> dict[str, object]:
    """The states of all libraries that are loaded. Those of GPUs are held by the host, and cost nothing to read."""
    states: dict[str, object] = {"random": random.getstate()}
    if "numpy" in sys.modules:
        states["numpy"] = sys.modules["numpy"].random.get_state()
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _restore(name: str, state: object) -> None:
    match name:
        case "random":
            random.setstate(state)  # type: ignore[arg-type]
        case "numpy":
            sys.modules["numpy"].random.set_state(state)
        case "torch":
            sys.modules["torch"].set_rng_state(state)
        case "cuda":
            sys.modules["torch"].cuda.set_rng_state_all(state)


def _seed(name: str, seed: int) -> None:
    match name:
        case "random":
            random.seed(seed)
        case "numpy":
            sys.modules["numpy"].random.seed(seed)
        case "torch":
            sys.modules["torch"].default_generator.manual_seed(seed)
        case "cuda":
            sys.modules["torch"].cuda.manual_seed_all(seed)
