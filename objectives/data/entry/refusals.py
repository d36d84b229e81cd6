"""What is wrong with code of the user's, or with what it returned, as an error of one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from tuner.errors import ConfigError, Problem


def refused(message: str) -> ConfigError:
    """The error that says this."""
    return ConfigError([Problem("", message)])


@contextmanager
def placed(path: str, owner: str) -> Iterator[None]:
    """Adds to the problems found in this context where they stand and what they are of.

    Args:
        path: From the objective's table.
        owner: What the messages are about: `Mine`.
    """
    try:
        yield
    except ConfigError as error:
        told = [
            each.message if each.message.startswith(owner) else f"{owner}: {each.message}" for each in error.problems
        ]
        raise ConfigError([Problem(path, each) for each in told]) from error
