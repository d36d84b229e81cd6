"""What a GPU is told to compute with holds within a context, and no longer."""

import pytest
import torch

from objectives.training.devices.arithmetic import deterministic_kernels


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_attention_is_computed_by_kernels_that_fuse_nothing_where_a_gpu_has_to_repeat_it(
    wanted: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # which may stand beside a CPU that trains

    with deterministic_kernels(torch.device(device), wanted=wanted):
        within = fused()

    assert within == [not (wanted and device == "cuda")] * 2
    assert fused() == [True, True]


def fused() -> list[bool]:
    """Whether torch may take its two fused kernels."""
    kinds = torch.backends.cuda
    return [kinds.flash_sdp_enabled(), kinds.mem_efficient_sdp_enabled()]  # type: ignore[no-untyped-call]
