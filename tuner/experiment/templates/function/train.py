"""The training loop of the experiment beside this file. Replace it by one of your own."""

from collections.abc import Iterator
from itertools import count

import torch
from sklearn.datasets import load_digits
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def train(
    *, learning_rate: float, units: int, activation: str, batch_size: int, seed: int, device: str
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train, and yield after some steps how many were taken and what was measured.

    The first three parameters are hyperparameters, named as in the experiment's file; tuner gives the others too. The
    loop needs no end: tuner leaves it when a trial has reached the target, spent its budget or can no longer win.
    """
    torch.manual_seed(seed)
    images, labels = (torch.as_tensor(each, device=device) for each in load_digits(return_X_y=True))
    images = images.float() / 16
    validation = torch.arange(len(labels), device=device) % 4 == 0
    x, y = images[~validation], labels[~validation]
    net = nn.Sequential(nn.Linear(64, units), ACTIVATIONS[activation](), nn.Linear(units, 10)).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
    for step in count(1):
        batch = torch.randint(len(y), (batch_size,), device=device)
        loss = nn.functional.cross_entropy(net(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 5 == 0:
            with torch.no_grad():
                wrong = net(images[validation]).argmax(1) != labels[validation]
            yield step, {"train/loss": loss.item(), "validation/error": wrong.float().mean().item()}
