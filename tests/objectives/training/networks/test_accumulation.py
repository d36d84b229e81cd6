"""A minibatch in parts has the gradient of the whole."""

import logging
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from objectives.models import Network
from objectives.models.mlp import Mlp
from objectives.training.networks.accumulation import Accumulation
from tests.objectives.reference import losses_and_gradient

LANES = 3


def perceptron(batch_size: int) -> Network:
    return Mlp((6,)).network(
        (7,), 5, lanes=LANES, batch_size=batch_size, device=torch.device("cpu"), dtype=torch.float64
    )


class Small:
    """A perceptron on a device that holds so many examples and no more. Remembers what it was given."""

    def __init__(self, batch_size: int, *, room: int, given: list[int]) -> None:
        self._inner, self._batch_size, self._room, self._given = perceptron(batch_size), batch_size, room, given
        self.lanes, self.together, self.autograd, self.draws = LANES, 1, False, False
        self.parameters = self._inner.parameters
        self.initialise, self.logits, self.seed = self._inner.initialise, self._inner.logits, self._inner.seed

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        sums += 1  # as what is full halfway has changed some
        self._given.append(self._batch_size)
        if self._batch_size > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sums -= 1
        return self._inner.add_gradient(parameters, inputs, labels, sums, share)


def problem(batch_size: int, seed: int = 0) -> Sequence[Tensor]:
    """Parameters, inputs and labels."""
    generator = torch.Generator().manual_seed(seed)
    parameters = torch.stack([perceptron(1).initialise(generator).double() for _ in range(LANES)])
    inputs = torch.randn(LANES, batch_size, 7, generator=generator, dtype=torch.float64)
    return parameters, inputs, torch.randint(5, (LANES, batch_size), generator=generator)


@given(batch_size=st.integers(1, 20), microbatch=st.integers(1, 25), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_parts_add_up_to_the_whole(batch_size: int, microbatch: int, seed: int) -> None:
    parameters, inputs, labels = problem(batch_size, seed)
    parts = Accumulation(perceptron, batch_size=batch_size, microbatch=microbatch)

    for _ in range(2):
        losses, gradient = losses_and_gradient(parts, parameters, inputs, labels)

    expected = losses_and_gradient(perceptron(batch_size), parameters, inputs, labels)
    torch.testing.assert_close(losses, expected[0], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, expected[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("microbatch", [2, 3, None])
@pytest.mark.parametrize("writes", [True, False])
def test_the_first_part_takes_the_place_of_what_was_there(microbatch: int | None, writes: bool) -> None:
    parameters, inputs, labels = problem(8)
    network = perceptron if writes else lambda size: Small(size, room=8, given=[])
    parts = Accumulation(network, batch_size=8, microbatch=microbatch)
    losses, gradient = losses_and_gradient(parts, parameters, inputs, labels)
    expected = losses.clone(), gradient.clone()

    losses = parts.write_gradient(parameters, inputs, labels, gradient)

    assert torch.equal(losses, expected[0])
    assert torch.equal(gradient, expected[1])


def test_a_full_device_gets_smaller_parts_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    given: list[int] = []
    parameters, inputs, labels = problem(20)
    parts = Accumulation(lambda size: Small(size, room=5, given=given), batch_size=20, microbatch=20)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            _, gradient = losses_and_gradient(parts, parameters, inputs, labels)

    assert given == [20, 10, *[5] * 8]
    assert "memory is full: batch size 20 goes on in parts of 5" in caplog.text
    expected = losses_and_gradient(perceptron(20), parameters, inputs, labels)[1]
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


def test_a_device_without_room_for_one_example_is_full() -> None:
    parameters, inputs, labels = problem(4)
    parts = Accumulation(lambda size: Small(size, room=0, given=[]), batch_size=4, microbatch=4)

    with pytest.raises(torch.OutOfMemoryError):
        losses_and_gradient(parts, parameters, inputs, labels)


def test_other_errors_stay_what_they_are() -> None:
    parameters, inputs, labels = problem(4)
    parts = Accumulation(perceptron, batch_size=4, microbatch=4)

    with pytest.raises(RuntimeError, match="size"):
        losses_and_gradient(parts, parameters, inputs[..., :3], labels)


def test_what_it_says_of_itself_is_what_its_network_says() -> None:
    parts = Accumulation(perceptron, batch_size=8, microbatch=3)
    network = perceptron(8)
    row = network.initialise(torch.Generator().manual_seed(0))

    assert (parts.lanes, parts.autograd, parts.draws) == (LANES, False, False)
    assert torch.equal(parts.initialise(torch.Generator().manual_seed(0)), row)
    inputs = torch.randn(9, 7, dtype=torch.float64)
    rows = row.double().unsqueeze(0)
    assert torch.equal(parts.logits(rows, inputs), network.logits(rows, inputs))
