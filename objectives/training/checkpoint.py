"""A trial in a lane as bytes, and back."""

import io

import torch

from objectives.training.grid import Progress
from objectives.training.lanes import Row
from objectives.training.minibatches import Order


def write(row: Row, order: Order, progress: Progress) -> bytes:
    """Everything a trial needs to go on exactly where it stands."""
    file = io.BytesIO()
    content = {
        "parameters": row.parameters,
        "state": list(row.state),
        "loss_sum": row.loss_sum,
        "generator": order.generator.get_state(),
        "pending": order.pending,
        "step": progress.step,
        "measured": progress.measured,
    }
    torch.save(content, file)
    return file.getvalue()


def read(checkpoint: bytes, *, examples: int) -> tuple[Row, Order, Progress]:
    """What `write` was given, for a training set of `examples`. Runs no code that the bytes might carry."""
    content = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
    generator = torch.Generator().set_state(content["generator"])
    return (
        Row(content["parameters"], tuple(content["state"]), content["loss_sum"]),
        Order(generator, examples, content["pending"]),
        Progress(content["step"], content["measured"]),
    )
