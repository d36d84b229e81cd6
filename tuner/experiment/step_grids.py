"""Steps at which something is done, spread over a budget."""


def log_spaced(last: int, many: int) -> tuple[int, ...]:
    """Up to `many` different steps from 1 to `last`, evenly spread over their logarithm.

    >>> log_spaced(1000, 4), log_spaced(3, 16), log_spaced(1000, 1)
    ((1, 10, 100, 1000), (1, 2, 3), (1000,))
    """
    exponents = (index / (many - 1) for index in range(many)) if many > 1 else [1.0] * many
    return tuple(sorted({round(last**each) for each in exponents}))
