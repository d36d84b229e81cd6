"""A trial in a lane as bytes, and back."""

import io

import torch

from objectives.training.lanes import Row
from objectives.training.measuring.grid import Progress
from objectives.training.minibatches import Order


def write(row: Row, order: Order, progress: Progress) -> bytes:
    """A checkpoint: everything that a trial needs to continue with identical results."""
    file = io.BytesIO()
    content = {
        "parameters": row.parameters,
        "state": list(row.state),
        "loss_sum": row.loss_sum,
        "generator": order.generator.get_state(),
        "pending": order.pending,
        "step": progress.step,
        "measured": progress.measured,
        "reached": progress.reached,
    }
    torch.save(content, file)
    return file.getvalue()


def read(checkpoint: bytes, *, examples: int) -> tuple[Row, Order, Progress]:
    """The values that `write` was given. Only tensors and numbers are read; no code in the bytes is run."""
    content = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
    generator = torch.Generator().set_state(content["generator"])
    return (
        Row(content["parameters"], tuple(content["state"]), content["loss_sum"]),
        Order(generator, examples, content["pending"]),
        # Version 0.1 wrote no targets; without them a trial is only measured on more examples than it need.
        Progress(content["step"], content["measured"], content.get("reached", 0)),
    )
