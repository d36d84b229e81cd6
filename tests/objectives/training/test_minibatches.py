import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from objectives.data import Split, Splits
from objectives.training.inputs.examples import Examples
from objectives.training.minibatches import Minibatches, Order

EXAMPLES = 100


def made(batch_size: int, *, lanes: int) -> Minibatches:
    """Minibatches of examples whose inputs and labels are their numbers."""
    numbers = torch.arange(EXAMPLES)
    return of(numbers.unsqueeze(1).float(), numbers, batch_size=batch_size, lanes=lanes)


def of(inputs: Tensor, labels: Tensor, *, batch_size: int, lanes: int) -> Minibatches:
    split = Split(inputs, labels)
    splits = Splits(split, split, split, classes=EXAMPLES, shape=(1,))
    examples = Examples(split, splits, device=inputs.device, dtype=inputs.dtype)
    return Minibatches(examples, batch_size=batch_size, lanes=lanes)


def order(seed: int, examples: int = EXAMPLES) -> Order:
    return Order(torch.Generator().manual_seed(seed), examples)


def take(minibatches: Minibatches, lane: int, *, steps: int) -> list[list[int]]:
    """A lane's rows for some steps."""
    taken: list[list[int]] = []
    while len(taken) < steps:
        taken += minibatches.take(min(minibatches.ready, steps - len(taken)))[1][:, lane].tolist()
    return taken


@given(takes=st.lists(st.integers(0, 40), max_size=30), examples=st.integers(1, 17), seed=st.integers(0, 2**63 - 1))
def test_an_order_is_one_permutation_after_the_other_however_it_is_taken(
    takes: list[int], examples: int, seed: int
) -> None:
    sequence = order(seed, examples)

    rows = torch.cat([sequence.take(count) for count in [*takes, 0]]).tolist()

    epochs = [rows[start : start + examples] for start in range(0, len(rows) - examples + 1, examples)]
    generator = torch.Generator().manual_seed(seed)
    assert epochs == [torch.randperm(examples, generator=generator).tolist() for _ in epochs]
    assert all(sorted(epoch) == list(range(examples)) for epoch in epochs)


def test_a_minibatch_that_crosses_an_epoch_goes_on_in_the_next_permutation() -> None:
    minibatches = made(64, lanes=1)
    minibatches.open(0, order(0))

    first, second, *_ = take(minibatches, 0, steps=2)

    assert len(set(first)) == 64
    assert sorted(first + second[:36]) == list(range(EXAMPLES))


def test_a_minibatch_may_be_the_whole_training_set() -> None:
    minibatches = made(EXAMPLES, lanes=1)
    minibatches.open(0, order(0))

    batches = take(minibatches, 0, steps=40)

    assert all(sorted(batch) == list(range(EXAMPLES)) for batch in batches)
    assert batches[0] != batches[1]


def test_a_lane_sees_the_same_rows_whenever_it_is_opened() -> None:
    early, late = made(48, lanes=2), made(48, lanes=2)
    early.open(0, order(7))
    late.open(0, order(1))
    take(late, 0, steps=13)
    late.open(1, order(7))

    assert take(late, 1, steps=50) == take(early, 0, steps=50)


def test_the_rest_of_an_order_is_what_comes_next() -> None:
    first, second = made(48, lanes=1), made(48, lanes=1)
    first.open(0, order(7))
    take(first, 0, steps=21)

    rest = first.rest(0)
    state = rest.generator.get_state()
    second.open(0, Order(torch.Generator().set_state(state), EXAMPLES, rest.pending))

    assert take(second, 0, steps=30) == take(first, 0, steps=30)


def test_inputs_come_with_their_labels() -> None:
    minibatches = made(48, lanes=3)
    minibatches.open(1, order(7))

    inputs, labels = minibatches.take(5)

    assert inputs.shape == (5, 3, 48, 1)
    assert torch.equal(inputs.squeeze(-1).long(), labels)


@pytest.mark.parametrize(
    ("batch_size", "lanes", "ready"),
    [
        (1, 1, 1024),  # about an epoch of a small data set is drawn ahead
        (1, 8, 512),  # 4096 examples are gathered at once
        (2, 3, 512),
        (3, 1, 336),  # a multiple of 16 steps
        (64, 1, 16),
        (100, 1, 16),  # 16 steps are drawn ahead at least
        (100, 4, 10),
        (100, 64, 1),
    ],
)
def test_as_many_steps_are_ready_as_are_drawn_and_fit_into_the_cache(batch_size: int, lanes: int, ready: int) -> None:
    assert made(batch_size, lanes=lanes).ready == ready


def test_what_is_left_of_the_steps_drawn_is_ready_next() -> None:
    minibatches = made(100, lanes=4)
    counts = []
    for _ in range(4):
        counts.append(minibatches.ready)
        minibatches.take(counts[-1])

    assert counts == [10, 6, 10, 6]


def test_a_lane_without_a_trial_sees_the_first_example() -> None:
    minibatches = made(100, lanes=2)
    minibatches.open(0, order(7))

    assert take(minibatches, 1, steps=40) == [[0] * 100] * 40


def test_a_closed_lane_sees_the_first_example_once_its_rows_are_used_up() -> None:
    minibatches = made(100, lanes=1)
    minibatches.open(0, order(7))
    minibatches.close(0)

    batches = take(minibatches, 0, steps=32)

    assert all(sorted(batch) == list(range(EXAMPLES)) for batch in batches[:16])
    assert batches[16:] == [[0] * 100] * 16


def test_the_rest_of_an_order_can_be_taken_for_ever() -> None:
    minibatches = made(48, lanes=1)
    minibatches.open(0, order(7))
    take(minibatches, 0, steps=3)

    rest = minibatches.rest(0)

    assert rest.take(10_000).tolist() == order(7).take(10_000 + 3 * 48)[3 * 48 :].tolist()


@pytest.mark.filterwarnings("error")  # torch warns as it enlarges a buffer
def test_inputs_are_gathered_into_the_same_memory_every_time() -> None:
    minibatches = made(48, lanes=1)

    first, second = (minibatches.take(2)[0] for _ in range(2))

    assert second.data_ptr() == first.data_ptr()


def test_inputs_keep_their_type() -> None:
    numbers = torch.arange(EXAMPLES)
    minibatches = of(numbers.unsqueeze(1).double(), numbers, batch_size=2, lanes=1)

    inputs, labels = minibatches.take(1)

    assert (inputs.dtype, labels.dtype) == (torch.float64, torch.int64)


def test_rows_are_whole_numbers_from_the_start() -> None:
    assert order(0).pending.dtype is torch.int64


def test_minibatches_are_on_the_device_of_the_training_set() -> None:
    numbers = torch.arange(EXAMPLES, device="meta")
    minibatches = of(numbers.unsqueeze(1), numbers, batch_size=2, lanes=1)
    minibatches.open(0, order(7))

    inputs, labels = minibatches.take(1)

    assert inputs.device.type == labels.device.type == "meta"
