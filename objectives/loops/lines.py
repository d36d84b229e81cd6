"""The lines that a script prints: measurements, and everything else."""

import json
import re
import reprlib

from tuner.errors import ContractError
from tuner.trial import Measurement

BEGINNING = re.compile(r'\s*\{\s*"step"\s*:')
EXAMPLE = '{"step": 100, "validation/error": 0.12}'


class BrokenLine(Exception):  # noqa: N818 - what it says
    """A line that begins as a measurement and is not JSON, as when two processes print at once."""


def measurement_in(line: str) -> Measurement | None:
    """The measurement that a line is: a JSON object with a `step`. None for any other line.

    >>> measurement_in('{"step": 100, "validation/error": 0.25}')
    Measurement(step=100, metrics={'validation/error': 0.25}, partial={})
    >>> measurement_in("epoch 3 of 10")

    Raises:
        BrokenLine: It begins as a measurement and is not JSON.
        ContractError: Its step is not a whole number.
    """
    if not line.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError as error:
        if BEGINNING.match(line):
            raise BrokenLine(f"it printed {reprlib.repr(line.strip())}, which is no JSON object a line") from error
        return None
    if not (isinstance(found, dict) and "step" in found):
        return None
    step = found.pop("step")
    if isinstance(step, bool) or not isinstance(step, int | float) or not float(step).is_integer():
        raise ContractError(
            f"the command printed the step {step!r}, which is no whole number; print lines as {EXAMPLE}"
        )
    return Measurement(int(step), found)
