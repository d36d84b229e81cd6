"""The errors a user can cause or repair. Each carries one clear line: what is wrong, the value, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_LINES = 20
"""More problems than these are not read at once."""
LINE = 600
"""Letters of a line: a value that somebody gave may have any number of them."""


class TunerError(Exception):
    """Anything the command line reports in one line, without a traceback."""


class StoreError(TunerError):
    """The store cannot be reached, is too new, or holds something that contradicts the request."""


class StoreUnreachable(StoreError):  # noqa: N818 - an error whose name says what is the matter
    """The store does not answer now but may answer later: a restart, a broken network, a full disk."""


class DamagedRecord(StoreError):  # noqa: N818 - likewise
    """A stored row cannot be read, or one is missing; says of which experiment, study and trial."""


class ClaimLost(StoreError):  # noqa: N818 - likewise
    """Another worker has taken the study since; this one must not write to it."""


class RunCutShort(TunerError):  # noqa: N818 - likewise
    """A run was asked to stop, and the store did not say in time what it holds. What was finished is stored."""


class RecorderError(TunerError):
    """A view of the record (MLflow) cannot be reached or refuses what it is sent."""


class CheckpointError(TunerError):
    """Checkpoints cannot be kept where they should be."""


class ReportError(TunerError):
    """The report cannot be written where it should be."""


class ContractError(TunerError):
    """Training code returned what its contract does not allow. Every trial would end so: the study is set aside."""


class OutOfMemory(TunerError):  # noqa: N818 - the contract's name
    """The device cannot hold this many lanes; the study goes on with half of them."""


class TrainerLost(TunerError):  # noqa: N818 - likewise
    """A trainer in another process has died. Its trials start again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a setting: where it stands (`space.momentum.low`) and what is wrong with it."""

    path: str
    message: str

    def under(self, prefix: str) -> "Problem":
        """The same problem seen from one table further out."""
        return Problem(".".join(part for part in (prefix, self.path) if part), self.message)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(TunerError):
    """Settings that contradict themselves or the code that they configure: every problem, not only the first."""

    def __init__(self, problems: Sequence[Problem], *, source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        lines = [shortened(f"{source}: {problem}" if source else str(problem)) for problem in self.problems]
        super().__init__("\n".join(few(lines, of="problems")))


def few(lines: Sequence[str], *, of: str) -> list[str]:
    """The first twenty lines, and how many more there are.

    >>> few([str(each) for each in range(30)], of="problems")[-2:]
    ['19', '... and 10 more problems']
    """
    more = len(lines) - MOST_LINES
    return list(lines) if more <= 1 else [*lines[:MOST_LINES], f"... and {more} more {of}"]


def shortened(text: str) -> str:
    """A text without the middle of lines that are too long to be read.

    >>> shortened("must be a number, not " + "x" * 1_000_000)[440:490]
    'xxxxxxxxxx ... (999,422 more letters) ... xxxxxxxx'
    """
    return "\n".join(map(_shortened, text.split("\n")))


def _shortened(line: str) -> str:
    more, end = len(line) - LINE, LINE // 4
    return line if more <= 0 else f"{line[: LINE - end]} ... ({more:,} more letters) ... {line[-end:]}"


def printable(text: str) -> str:
    r"""A text as it can be shown on a terminal: what would move the cursor, change colours or hide letters is escaped.

    Lines stay lines.

    >>> printable("red \x1b[31m, and back \u202e")
    'red \\x1b[31m, and back \\u202e'
    """
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(letter: str) -> str:
    return letter if letter.isprintable() or letter in "\n\t" else repr(letter)[1:-1]
