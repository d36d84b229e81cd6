"""How percentages and batch sizes are written."""


def percent(share: float, digits: int = 0) -> str:
    """A share in percent, for a person.

    >>> percent(0.9375), percent(0.0287, 2)
    ('94 %', '2.87 %')
    """
    return f"{100 * share:.{digits}f} %"


def batch_size_word(count: int) -> str:
    """What so many batch sizes are called before their numbers.

    >>> batch_size_word(1), batch_size_word(2)
    ('batch size', 'batch sizes')
    """
    return "batch size" if count == 1 else "batch sizes"
