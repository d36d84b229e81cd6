"""Images are changed at random as the papers do it, the same in every lane and after a restart."""

from collections import Counter

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms.v2 import functional

from objectives.data import Augment, Pixels, Split, Splits
from objectives.training.draws import step_seeds
from objectives.training.inputs.examples import Examples
from objectives.training.inputs.images import PADDING, Images, random_numbers
from objectives.training.minibatches import Minibatches, Order
from tests.objectives.reference import DEVICES

CPU = torch.device("cpu")
SHAPE = (2, 6, 5)
GENERATOR = torch.Generator().manual_seed(0)
BYTES = torch.randint(256, (40, 2 * 6 * 5), dtype=torch.uint8, generator=GENERATOR)
PIXELS = Pixels(SHAPE, (100.0, 120.0), (50.0, 60.0))
LARGE = torch.randint(256, (40, 2 * 9 * 7), dtype=torch.uint8, generator=GENERATOR)
STORED = Pixels((2, 9, 7), (100.0, 120.0), (50.0, 60.0), is_shuffled=True)


def images(augment: Augment, pixels: Pixels | None = PIXELS, *, shape: tuple[int, int, int] = SHAPE) -> Images:
    return Images(shape, pixels, augment=augment, device=CPU, dtype=torch.float32)


def standardised(stored: Tensor, pixels: Pixels) -> Tensor:
    """As torchvision does it."""
    images = stored.view(-1, *pixels.stored).float()
    found: Tensor = functional.normalize(images, list(pixels.mean), list(pixels.deviation))
    return found


def numbers(top: float, left: float, mirror: float, *, examples: int = 40) -> Tensor:
    return torch.tensor([[top, left, mirror]]).expand(examples, 3)


@pytest.mark.parametrize(
    ("first", "second", "top", "left"),
    [(0.0, 0.0, 0, 0), (0.5, 0.5, 4, 4), (0.999, 0.999, 8, 8), (0.12, 0.24, 1, 2), (1 - 2**-24, 0.0, 8, 0)],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_crop_is_cut_out_of_the_standardised_image_in_a_frame_of_zeros(
    first: float, second: float, top: int, left: int, mirrored: bool
) -> None:
    found = images(Augment.CROP_FLIP).changed(BYTES, numbers(first, second, 0.4 if mirrored else 0.6))

    framed = functional.pad(standardised(BYTES, PIXELS), [PADDING] * 4)
    expected = functional.crop(framed, top, left, 6, 5)
    expected = functional.horizontal_flip(expected) if mirrored else expected
    assert torch.equal(found, expected.flatten(1))


@pytest.mark.parametrize(("first", "second", "top", "left"), [(0.0, 0.0, 0, 0), (0.26, 0.99, 1, 2), (0.99, 0.4, 3, 1)])
def test_a_crop_of_a_larger_image_needs_no_frame(first: float, second: float, top: int, left: int) -> None:
    found = images(Augment.CROP, STORED).changed(LARGE, numbers(first, second, 0.0))

    assert torch.equal(found, functional.crop(standardised(LARGE, STORED), top, left, 6, 5).flatten(1))


def test_what_is_measured_is_the_middle() -> None:
    found = images(Augment.CROP_FLIP, STORED).middle(LARGE)

    assert torch.equal(found, functional.crop(standardised(LARGE, STORED), 1, 1, 6, 5).flatten(1))


@pytest.mark.parametrize(("pixels", "stored"), [(PIXELS, BYTES), (STORED, LARGE)])
def test_a_flip_alone_is_of_the_middle(pixels: Pixels, stored: Tensor) -> None:
    mirrored, kept = (images(Augment.FLIP, pixels).changed(stored, numbers(0.9, 0.9, each)) for each in (0.1, 0.9))

    middle = images(Augment.NONE, pixels).middle(stored)
    assert torch.equal(kept, middle)
    assert torch.equal(mirrored, functional.horizontal_flip(middle.view(-1, *SHAPE)).flatten(1))


def test_a_crop_alone_is_never_mirrored() -> None:
    found = images(Augment.CROP).changed(BYTES, numbers(0.5, 0.5, 0.0))

    assert torch.equal(found, standardised(BYTES, PIXELS).flatten(1))


def test_numbers_are_changed_like_bytes() -> None:
    floats = standardised(BYTES, PIXELS).flatten(1)
    random = random_numbers(torch.tensor(5), 40)

    found = images(Augment.CROP_FLIP, None).changed(floats, random)

    assert torch.equal(found, images(Augment.CROP_FLIP).changed(BYTES, random))


def test_all_offsets_and_both_sides_are_as_likely() -> None:
    position = torch.arange(13 * 13).float()  # of each pixel in a frame whose middle is the image
    marked = Images(
        (1, 5, 5), Pixels((1, 13, 13), (0.0,), (1.0,)), augment=Augment.CROP_FLIP, device=CPU, dtype=torch.float64
    )
    many = 9000

    found = marked.changed(position.to(torch.uint8).expand(many, -1), random_numbers(torch.tensor(3), many)).view(
        many, 5, 5
    )

    corners = Counter((int(each[0].min()), bool(each[0, 0] > each[0, 1])) for each in found)
    assert {place for place, _ in corners} == {13 * top + left for top in range(9) for left in range(9)}
    assert len(corners) == 2 * 81
    assert stats.chisquare(list(corners.values())).pvalue > 1e-3


def splits(augment: Augment, *, pixels: Pixels | None = PIXELS) -> Splits:
    """Examples whose labels are their numbers."""
    inputs = LARGE if pixels is STORED else BYTES if pixels is PIXELS else BYTES.float()
    split = Split(inputs, torch.arange(40))
    return Splits(split, split, split, classes=40, shape=SHAPE, pixels=pixels, augment=augment)


def minibatches(given: Splits, *, lanes: int, device: torch.device = CPU, most_resident: int = 2**32) -> Minibatches:
    examples = Examples(given.train, given, device=device, dtype=torch.float32, most_resident=most_resident)
    return Minibatches(examples, batch_size=7, lanes=lanes)


def taken(from_: Minibatches, lane: int, *, steps: int) -> list[tuple[Tensor, Tensor]]:
    """A lane's inputs and labels, step by step."""
    found: list[tuple[Tensor, Tensor]] = []
    while len(found) < steps:
        inputs, labels = from_.take(min(from_.ready, steps - len(found), 3))
        found += [
            (each.clone().cpu(), label.cpu()) for each, label in zip(inputs[:, lane], labels[:, lane], strict=True)
        ]
    return found


def same(some: list[tuple[Tensor, Tensor]], others: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in pairs)


def order(seed: int) -> Order:
    return Order(torch.Generator().manual_seed(seed), 40)


@pytest.mark.parametrize("augment", list(Augment))
@pytest.mark.parametrize("pixels", [None, PIXELS, STORED], ids=["numbers", "bytes", "larger bytes"])
def test_a_trial_sees_the_same_in_any_lane_beside_any_neighbours(augment: Augment, pixels: Pixels | None) -> None:
    alone, beside = (minibatches(splits(augment, pixels=pixels), lanes=lanes) for lanes in (1, 3))
    alone.open(0, order(7), seed=7)
    beside.open(0, order(1), seed=1)
    taken(beside, 0, steps=5)
    beside.open(2, order(7), seed=7)

    assert same(taken(alone, 0, steps=30), taken(beside, 2, steps=30))


def test_a_trial_that_goes_on_sees_what_it_would_have_seen() -> None:
    first, second = (minibatches(splits(Augment.CROP_FLIP), lanes=1) for _ in range(2))
    first.open(0, order(7), seed=7)
    taken(first, 0, steps=11)
    second.open(0, first.rest(0), seed=7, step=11)

    assert same(taken(second, 0, steps=5), taken(first, 0, steps=5))


def test_an_image_is_changed_anew_at_each_step_and_in_each_trial() -> None:
    made = minibatches(splits(Augment.CROP_FLIP), lanes=2)
    for lane in (0, 1):
        made.open(lane, order(7), seed=lane)
    inputs, labels = made.take(16)
    mine = [inputs[:, lane][labels[:, lane] == 3] for lane in (0, 1)]

    assert torch.equal(labels[:, 0], labels[:, 1])
    assert len({tuple(each) for each in torch.cat(mine).tolist()}) == sum(map(len, mine)) > 3


def test_without_augmentation_inputs_are_those_that_are_measured() -> None:
    given = splits(Augment.NONE, pixels=STORED)
    made = minibatches(given, lanes=1)
    made.open(0, order(7))

    inputs, labels = made.take(3)

    expected = Examples(given.train, given, device=CPU, dtype=torch.float32).inputs(labels)
    assert torch.equal(inputs, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("most_resident", [0, 2**32], ids=["host", "device"])
@pytest.mark.parametrize("pixels", [PIXELS, STORED])
def test_every_device_sees_the_same_wherever_the_images_are(device: str, most_resident: int, pixels: Pixels) -> None:
    given = splits(Augment.CROP_FLIP, pixels=pixels)
    here = minibatches(given, lanes=2)
    there = minibatches(given, lanes=2, device=torch.device(device), most_resident=most_resident)
    for each in (here, there):
        each.open(1, order(7), seed=7)

    for (one, labels), (other, others) in zip(taken(here, 1, steps=9), taken(there, 1, steps=9), strict=True):
        assert torch.equal(labels, others)
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)


def test_the_numbers_of_a_place_do_not_depend_on_the_batch_size() -> None:
    seeds = step_seeds(torch.tensor([3, 4]), torch.tensor([[0, 5]]))

    assert torch.equal(random_numbers(seeds, 8)[..., :5, :], random_numbers(seeds, 5))
    assert random_numbers(seeds, 5).shape == (1, 2, 5, 3)
