"""How percentages are written."""


def percent(share: float, digits: int = 0) -> str:
    """A share in percent, for a person.

    >>> percent(0.9375), percent(0.0287, 2)
    ('94 %', '2.87 %')
    """
    return f"{100 * share:.{digits}f} %"
