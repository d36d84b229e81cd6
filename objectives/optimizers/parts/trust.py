"""Norms of each tensor, by which LARS and LAMB adapt the learning rate.

Tensors of one dimension are not adapted, as in their authors' programs: biases, and the scales and shifts of norms.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from objectives.models import Layout


def adapted_norms(rows: Tensor, layout: Layout) -> Tensor:
    """The norm of each tensor that is adapted, `[lane, tensor]`, in rows `[lane, parameter]`."""
    parts = [part for part, is_adapted in _parts(rows, layout) if is_adapted]
    found = rows.new_empty(len(rows), len(parts))
    for place, part in enumerate(parts):
        torch.linalg.vector_norm(part, dim=1, out=found[:, place])
    return found


def add_scaled(sums: Tensor, rows: Tensor, layout: Layout, *, rates: Tensor, plain: Tensor) -> None:
    """Add each trained tensor in `rows` to that in `sums`, times its rate.

    Args:
        sums: `[lane, parameter]`.
        rows: `[lane, parameter]`.
        layout: Of a row.
        rates: Of the tensors that are adapted, `[lane, tensor]`.
        plain: Of all others, `[lane, 1]`.
    """
    of_adapted = iter(torch.split(rates, 1, dim=1))
    for (target, is_adapted), (part, _) in zip(_parts(sums, layout), _parts(rows, layout), strict=True):
        target.addcmul_(part, next(of_adapted) if is_adapted else plain)


def _parts(rows: Tensor, layout: Layout) -> Sequence[tuple[Tensor, bool]]:
    """Each trained tensor of all lanes, and whether it is adapted."""
    sizes = [each.stop - each.start for each in layout.blocks]
    parts = rows[:, : layout.trained].split_with_sizes(sizes, 1)
    return [(part, block.dimensions > 1) for part, block in zip(parts, layout.blocks, strict=True)]
