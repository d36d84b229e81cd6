"""Numbers as JSON has them."""

import math


def finite(value: float | None) -> float | None:
    """A number, or None for one that is infinite or no number: JSON has neither.

    >>> finite(1.5), finite(math.inf), finite(None)
    (1.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None
