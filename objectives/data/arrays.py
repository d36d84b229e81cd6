"""Arrays in an `.npz` file, as `numpy.savez` writes it."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objectives.data import Labelled, Unsplit
from objectives.data.entry.refusals import refused
from tuner.experiment.limits.numbers import Share, SmallSeed

__all__ = ["Arrays"]


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays `inputs` and `labels` of a file, split at random; classes keep their shares.

    If the file has `validation_inputs` and `validation_labels`, or `test_inputs` and `test_labels`, they are that part.

    Attributes:
        file: Its path, from the current folder.
        inputs: The name of the inputs, `[example, ...]`.
        labels: The name of the labels, `[example]` or `[example, output]`.
        validation: The share of the examples that is for the search, if the file has no such part.
        test: The share that is for the final report.
        seed: Of the random choice.
    """

    file: str
    inputs: str = "inputs"
    labels: str = "labels"
    validation: Share = 0.1
    test: Share = 0.1
    seed: SmallSeed = 0

    def load(self) -> Unsplit:
        """The arrays.

        Raises:
            ConfigError: The file cannot be read or lacks an array.
        """
        content = _read(Path(self.file).expanduser())
        parts: dict[str, Labelled] = {}
        for part, prefix in (("train", ""), ("validation", "validation_"), ("test", "test_")):
            names = prefix + self.inputs, prefix + self.labels
            missing = [each for each in names if each not in content]
            if missing and (part == "train" or len(missing) == 1):
                raise refused(f"{self.file} has no array {missing[0]}; it has {', '.join(sorted(content)) or 'none'}")
            if not missing:
                parts[part] = content[names[0]], content[names[1]]
        return Unsplit(parts, validation=self.validation, test=self.test, seed=self.seed)


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a file. Raises `ConfigError`."""
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with found:
            return dict(found)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise refused(f"{path} cannot be read as an .npz file: {error}") from error
