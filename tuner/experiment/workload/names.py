"""The names of metrics and of other values that MLflow takes."""

import re

NAME_LENGTH = 250
NAME = re.compile(r"[\w.\- :/]+")
"""The letters of a name, as MLflow has them on Linux."""


def is_loggable(name: str) -> bool:
    """Whether MLflow takes a name; one that looks like a path must be one that it would not shorten.

    >>> [is_loggable(each) for each in ("validation/error", "1 - momentum", "F1@0.5 (%)", "../error", "a//b")]
    [True, True, False, False, False]
    """
    parts = name.split("/")
    return len(name) <= NAME_LENGTH and NAME.fullmatch(name) is not None and all(each.strip(".") for each in parts)
