"""Whether a value implements a Protocol, where that is asked in every step."""

from typing import TypeGuard, TypeVar

Contract = TypeVar("Contract")

_known: dict[tuple[type, type], bool] = {}


def implements(value: object, protocol: type[Contract]) -> TypeGuard[Contract]:
    """As `isinstance`, for a Protocol that has only methods, remembered by the class of the value.

    `isinstance` looks at all names of a Protocol for each answer, which takes as long as a small step.

    Raises:
        TypeError: The Protocol has attributes, which only a value can be asked for.

    >>> from typing import Protocol, runtime_checkable
    >>> @runtime_checkable
    ... class Sized(Protocol):
    ...     def __len__(self) -> int: ...
    >>> implements([], Sized), implements(3, Sized)
    (True, False)
    """
    key = type(value), protocol
    if key not in _known:
        _known[key] = issubclass(*key)
    return _known[key]
