"""Dropout draws what torch draws, or takes its rate from a tensor."""

import pytest
import torch
from torch import Tensor, nn

from objectives.models.layers.dropout import Dropout, with_dropouts
from tests.objectives.reference import DEVICES


def drawn(layer: nn.Module, inputs: Tensor, seed: int = 3) -> Tensor:
    torch.manual_seed(seed)
    outputs: Tensor = layer(inputs)
    return outputs


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4, 0.95])
@pytest.mark.parametrize("device", DEVICES)
def test_a_fixed_rate_draws_the_numbers_of_torch(rate: float, device: str) -> None:
    inputs, twin = (torch.randn(50, 7, generator=torch.Generator().manual_seed(0)).to(device) for _ in range(2))
    inputs.requires_grad_()
    twin.requires_grad_()

    ours, theirs = drawn(Dropout(rate), inputs), drawn(nn.Dropout(rate), twin)

    assert torch.equal(ours, theirs)
    torch.autograd.backward(ours.square().sum())
    torch.autograd.backward(theirs.square().sum())
    assert inputs.grad is not None
    assert twin.grad is not None
    assert torch.equal(inputs.grad, twin.grad)


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.95])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("device", DEVICES)
def test_a_rate_in_a_tensor_drops_that_share_and_keeps_the_mean(rate: float, dtype: torch.dtype, device: str) -> None:
    layer, many = Dropout(0.0), 100_000
    layer.rate = torch.tensor(rate, device=device)
    inputs = torch.ones(many, dtype=dtype, device=device).requires_grad_()

    outputs = drawn(layer, inputs)
    torch.autograd.backward(outputs.sum())

    assert outputs.dtype == dtype
    share = (outputs == 0).double().mean().item()
    assert share == pytest.approx(rate, abs=5 * (rate * (1 - rate) / many) ** 0.5)
    kept = outputs[outputs != 0].double()
    torch.testing.assert_close(
        kept, torch.full_like(kept, 1 / (1 - rate)), rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=0
    )
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, outputs)


def test_a_rate_of_zero_in_a_tensor_drops_nothing() -> None:
    layer = Dropout()
    layer.rate = torch.tensor(0.0)

    assert torch.equal(drawn(layer, torch.ones(10_000)), torch.ones(10_000))


@pytest.mark.parametrize("rate", [0.5, torch.tensor(0.5)])
def test_it_follows_the_seed_and_ends_with_training(rate: float | Tensor) -> None:
    layer, inputs = Dropout(), torch.ones(100)
    layer.rate = rate

    assert torch.equal(drawn(layer, inputs, 1), drawn(layer, inputs, 1))
    assert not torch.equal(drawn(layer, inputs, 1), drawn(layer, inputs, 2))
    assert torch.equal(layer.eval()(inputs), inputs)


def test_a_rate_in_a_tensor_is_no_part_of_the_module() -> None:
    layer = Dropout()
    layer.rate = torch.tensor(0.5)

    assert not list(layer.parameters())
    assert not list(layer.buffers())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_recorded_step_reads_the_rate_that_the_tensor_holds_then() -> None:
    layer, inputs = Dropout(), torch.ones(10_000, device="cuda")
    layer.rate = torch.tensor(0.5, device="cuda")
    layer(inputs)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = layer(inputs)

    dropped = []
    for rate in (0.5, 0.9, 0.0):
        layer.rate.fill_(rate)
        graph.replay()
        dropped.append((outputs == 0).double().mean().item())

    assert dropped == pytest.approx([0.5, 0.9, 0.0], abs=0.03)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"dropout is {rate}; it must be at least 0 and below 1"):
        Dropout(rate)


def test_the_dropouts_of_a_module_are_replaced_and_draw_the_same_numbers() -> None:
    theirs = nn.Sequential(nn.Dropout(0.3), nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.1)), nn.AlphaDropout(0.2))
    expected = drawn(theirs, torch.ones(4, 6))

    ours = with_dropouts(theirs)

    assert torch.equal(drawn(ours, torch.ones(4, 6)), expected)
    assert [each.rate for each in ours.modules() if isinstance(each, Dropout)] == [0.3, 0.1]
    assert isinstance(with_dropouts(nn.Dropout(0.2).eval()), Dropout)
    assert not with_dropouts(nn.Dropout(0.2).eval()).training
