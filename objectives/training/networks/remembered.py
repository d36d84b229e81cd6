"""Answers that are found once, where `functools.cache` does not do: what they are found of cannot be hashed."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """The answers to a question that this process asks often."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Answer] = {}

    def of(self, key: Hashable, find: Callable[[], Answer]) -> Answer:
        """An answer.

        Args:
            key: Everything that it depends on.
            find: Finds it, if nobody has asked for it before.
        """
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]
