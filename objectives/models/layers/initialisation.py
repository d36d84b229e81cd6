"""Initial parameters as papers draw them. All are drawn from torch's global generator, which lanes seed."""

from torch import Tensor, nn


def he_convolutions(module: nn.Module) -> nn.Module:
    """Convolutions normal with variance 2 / (filters x their pixels), and biases zero (He et al. 2015, Equation 14).

    The module is changed in place; its other layers stay as they are.
    """
    for each in module.modules():
        if isinstance(each, nn.Conv2d):
            nn.init.kaiming_normal_(each.weight, mode="fan_out", nonlinearity="relu")
            _zero(each.bias)
    return module


def glorot(module: nn.Module) -> nn.Module:
    """Convolutions and dense layers uniform with variance 2 / (inputs + outputs) (Glorot and Bengio 2010, Equation 16).

    Biases are zero. The module is changed in place.
    """
    for each in module.modules():
        if isinstance(each, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(each.weight)
            _zero(each.bias)
    return module


def small_dense(module: nn.Module, deviation: float = 0.01) -> nn.Module:
    """Dense layers normal with this standard deviation, and biases zero. The module is changed in place."""
    for each in module.modules():
        if isinstance(each, nn.Linear):
            nn.init.normal_(each.weight, 0, deviation)
            _zero(each.bias)
    return module


def _zero(biases: Tensor | None) -> None:
    if biases is not None:
        nn.init.zeros_(biases)
