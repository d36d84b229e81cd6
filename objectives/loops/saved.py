"""What is saved of a trial in a training loop: where it stands, and the state that its own code wrote."""

import json
from dataclasses import dataclass

from tuner.trial import Measurement


@dataclass(frozen=True, slots=True)
class Saved:
    """A trial that can go on.

    Attributes:
        step: The last step whose measurement was asked for.
        ready: The measurements after it that had been made, oldest first.
        state: What the trial's own code goes on from; empty to start from its seed.
    """

    step: int = 0
    ready: tuple[Measurement, ...] = ()
    state: bytes = b""

    def encode(self) -> bytes:
        """As bytes: a line of JSON, and the state.

        >>> Saved.decode(Saved(5, (Measurement(6, {"validation/error": 0.5}),), b"state").encode()).state
        b'state'
        """
        ready = [[each.step, dict(each.metrics)] for each in self.ready]
        return json.dumps({"loop": 1, "step": self.step, "ready": ready}).encode() + b"\n" + self.state

    @classmethod
    def decode(cls, content: bytes) -> "Saved":
        """From bytes. Raises `ValueError` if `encode` did not write them."""
        header, _, state = content.partition(b"\n")
        match json.loads(header):
            case {"loop": 1, "step": int(step), "ready": [*ready]}:
                return cls(step, tuple(Measurement(step, metrics) for step, metrics in ready), state)
        raise ValueError("this is no checkpoint of a training loop")
