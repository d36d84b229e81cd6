"""The errors a user can cause or repair. Each carries one clear line: what is wrong, the value, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass


class TunerError(Exception):
    """Anything the command line reports in one line, without a traceback."""


class StoreError(TunerError):
    """The store cannot be reached, is too new, or holds something that contradicts the request."""


class StoreUnreachable(StoreError):  # noqa: N818 - an error whose name says what is the matter
    """The store does not answer now but may answer later: a restart, a broken network, a full disk."""


class ClaimLost(StoreError):  # noqa: N818 - likewise
    """Another worker has taken the study since; this one must not write to it."""


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
        super().__init__("\n".join(f"{source}: {problem}" if source else str(problem) for problem in self.problems))
