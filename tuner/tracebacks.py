"""What went wrong in code of the user's: the error in a line, and those frames of its traceback that are his."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.errors import ConfigError, Problem, TunerError

OURS = tuple(str(Path(__file__).parents[1] / each) + "/" for each in ("tuner", "objectives"))
INSTALLED = ("/site-packages/", "/dist-packages/", f"{Path(traceback.__file__).parent}/", "<frozen ")


def reason_of(error: BaseException) -> str:
    r"""An error in one line.

    >>> reason_of(ValueError("no such file\nas this"))
    'ValueError: no such file'
    """
    return f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(": ")


def user_frames(error: BaseException) -> str:
    """The frames of an error that are neither ours nor of an installed package, as Python prints them.

    Empty if the error was not raised below any code of the user's.
    """
    frames = [each for each in traceback.extract_tb(error.__traceback__) if _is_users(each.filename)]
    return "".join(traceback.format_list(frames)).rstrip("\n")


def explained(error: BaseException) -> str:
    """An error in one line, and below it the user's own frames, if there are any."""
    return "\n".join(filter(None, (reason_of(error), user_frames(error))))


@contextmanager
def users_code(name: str, *, path: str = "") -> Iterator[None]:
    """Turns what code of the user's raises in this context into a `ConfigError`, with those frames that are his.

    Args:
        name: What runs: `Mine.load()`.
        path: The setting that names it.
    """
    try:
        yield
    except TunerError:
        raise
    except Exception as error:  # it may fail in any way
        raise ConfigError([Problem(path, f"{name} raised {explained(error)}")]) from error


def _is_users(file: str) -> bool:
    return not file.startswith(OURS) and not any(each in file for each in INSTALLED)
