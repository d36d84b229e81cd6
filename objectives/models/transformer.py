"""A decoder-only transformer with layer norm before each part (GPT-2: Radford et al. 2019), for texts."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.models.layers.dropout import Dropout, Rate, check_rate
from tuner.experiment.limits.numbers import Depth, Units

__all__ = ["Transformer"]

DEVIATION = 0.02
"""Of the normal distribution that weights and embeddings are drawn from."""
WIDENING = 4
"""Units of a hidden layer for each number of the residual stream."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """Predicts the class that follows each position from the classes up to there.

    It has learned positions, causal attention, GELU, and layer norm, which does not depend on the batch size. At first,
    biases are zero, and weights normal with deviation 0.02; those that write to the residual stream are divided by the
    square root of the number of such layers, which is twice `layers`. The outputs are products with the embedding of
    each class, so that both share their weights.

    Attributes:
        width: Numbers of the residual stream at each position.
        layers: Blocks of attention and a perceptron with one hidden layer, of four times the width.
        heads: Of each attention.
        dropout: The chance that a number is dropped in training: of embeddings, and of what blocks add to the stream.
            The weights of attention are not dropped.
    """

    width: Units = 128
    layers: Depth = 2
    heads: Units = 4
    dropout: Rate = 0.0

    def __post_init__(self) -> None:
        check_rate(self.dropout)
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}, which {self.heads} heads do not divide; say a multiple of heads")

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for texts of `shape`, their length, and of that many classes.

        Raises:
            ValueError: The examples are no texts.
        """
        if len(shape) != 1:
            raise ValueError(f"transformer needs texts [position] of whole numbers, not examples of shape {shape}")
        return Decoder(self, context=shape[0], classes=classes)


class Decoder(nn.Module):
    """From texts `[example, position]`, int64, to outputs `[example, position, class]`."""

    def __init__(self, settings: Transformer, *, context: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, settings.width)
        self.positions = nn.Parameter(torch.empty(context, settings.width))
        self.dropout = Dropout(settings.dropout)
        self.blocks = nn.Sequential(*(Block(settings) for _ in range(settings.layers)))
        self.norm = nn.LayerNorm(settings.width)
        self._initialise(residual=2 * settings.layers)

    def forward(self, texts: Tensor) -> Tensor:
        if texts.is_floating_point():
            raise ValueError("transformer needs whole numbers, int32 or int64")
        stream = self.dropout(self.embedding(texts) + self.positions)
        return functional.linear(self.norm(self.blocks(stream)), self.embedding.weight)

    @torch.no_grad()
    def _initialise(self, *, residual: int) -> None:
        """Draw all weights; `residual` is the number of layers that write to the residual stream."""
        for name, each in self.named_parameters():
            if name.endswith("bias"):
                each.zero_()
            elif "norm" not in name:
                nn.init.normal_(each, std=DEVIATION / math.sqrt(residual) if "to_stream" in name else DEVIATION)


class Block(nn.Module):
    """Adds attention, and then a perceptron, to the residual stream `[example, position, width]`."""

    def __init__(self, settings: Transformer) -> None:
        super().__init__()
        width = settings.width
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(settings)
        self.perceptron_norm = nn.LayerNorm(width)
        self.hidden, self.to_stream = nn.Linear(width, WIDENING * width), nn.Linear(WIDENING * width, width)
        self.dropout = Dropout(settings.dropout)

    def forward(self, stream: Tensor) -> Tensor:
        stream = stream + self.dropout(self.attention(self.attention_norm(stream)))
        hidden = functional.gelu(self.hidden(self.perceptron_norm(stream)))
        added: Tensor = self.dropout(self.to_stream(hidden))
        return stream + added


class Attention(nn.Module):
    """Causal attention with several heads (Vaswani et al. 2017, section 3.2): no position sees a later one."""

    def __init__(self, settings: Transformer) -> None:
        super().__init__()
        self.heads = settings.heads
        self.projections = nn.Linear(settings.width, 3 * settings.width)
        self.to_stream = nn.Linear(settings.width, settings.width)

    def forward(self, stream: Tensor) -> Tensor:
        of_heads = self.projections(stream).unflatten(-1, (3, self.heads, -1)).transpose(1, 3)
        queries, keys, values = of_heads.unbind(2)  # [example, head, position, width of a head]
        found = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        joined: Tensor = self.to_stream(found.transpose(1, 2).flatten(2))
        return joined
