"""Any classification model of torchvision by name, untrained."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.func import functional_call

from objectives.models.layers.dropout import with_dropouts
from objectives.models.layers.ghosts import has_batch_norm, with_ghosts
from objectives.models.layers.images import size_of_images
from objectives.models.layers.norms import GhostSize, Norm
from tuner.experiment.settings import nearest

__all__ = ["Torchvision"]

WITHOUT_AUXILIARIES: Mapping[str, bool] = {"aux_logits": False, "init_weights": True}
SETTINGS = {"googlenet": WITHOUT_AUXILIARIES, "inception_v3": WITHOUT_AUXILIARIES}
"""These two have further outputs in training, unless told otherwise, and warn unless told how to be initialised."""

TRAINED_ON = 224
"""Height and width of images that every model takes."""


@dataclass(frozen=True, slots=True)
class Torchvision:
    """A model that `torchvision.models.list_models(torchvision.models)` has; `resnet18`, for example.

    Parameters are drawn as torchvision draws them. Images of one channel are given to the model as the same three
    times. GoogLeNet and Inception have no auxiliary outputs.

    Attributes:
        name: The name of the model.
        norm: `batch` leaves the model as it is, whatever it normalises by. `ghost` replaces all its batch norms.
        ghost_size: Examples that ghost batch norm normalises together.
    """

    name: str
    norm: Norm = Norm.BATCH
    ghost_size: GhostSize = 32

    def __post_init__(self) -> None:
        known = _models().list_models(module=_models())
        if self.name not in known:
            raise ValueError(f"{self.name} is not a classification model of torchvision; {nearest(self.name, known)}")
        if self.norm is Norm.NONE:
            raise ValueError(f"norm is none; {self.name} cannot do without what it has: norm is batch or ghost")

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The model for images of `shape`, channels first, of one or three channels.

        Raises:
            ValueError: The examples are no such images, the model does not take images of this size, or it has no
                batch norm to replace.
        """
        channels, height, width = size_of_images(shape, least=1, model=self.name)
        if channels not in (1, 3):
            raise ValueError(f"{self.name} needs images of 3 channels, or of 1, not of {channels}")
        made = with_dropouts(_made(self.name, classes))
        _check_size(self.name, made, height, width)
        if self.norm is Norm.GHOST:
            if not has_batch_norm(made):
                raise ValueError(f"{self.name} has no batch norm that ghost batch norm could replace; leave norm out")
            made = with_ghosts(made, self.ghost_size)
        return made if channels == 3 else nn.Sequential(ThreeTimes(), made)


class ThreeTimes(nn.Module):
    """Passes images of one channel on as images of three channels, all the same."""

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


def _models() -> ModuleType:
    """`torchvision.models`, which takes seconds to import."""
    import torchvision

    models: ModuleType = torchvision.models
    return models


def _made(name: str, classes: int) -> nn.Module:
    model: nn.Module = _models().get_model(name, weights=None, num_classes=classes, **SETTINGS.get(name, {}))
    return model


def _check_size(name: str, model: nn.Module, height: int, width: int) -> None:
    """Raises `ValueError` if a model does not take images of this size."""
    least = min(tuple(each.meta["min_size"]) for each in _models().get_model_weights(name))
    if least == (1, 1) or height == width == TRAINED_ON:
        return
    if refusal := _refusal(model, height, width):
        message = (
            f"{name} does not take images of {height} x {width} pixels, but for example of {least[0]} x {least[1]}"
        )
        raise ValueError(f"{message}; torch says: {refusal}")


def _refusal(model: nn.Module, height: int, width: int) -> str:
    """What a model says to images of this size, of which nothing but shapes is computed; empty if it takes them."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {path: torch.empty_like(each, device="meta") for path, each in tensors.items()}
    training = model.training
    try:
        with torch.no_grad():
            functional_call(model.eval(), shapes, torch.empty(2, 3, height, width, device="meta"))
    except (RuntimeError, ValueError, AssertionError) as error:
        return str(error).partition("\n")[0]
    finally:
        model.train(training)
    return ""
