"""Mean squared error, over the examples and the numbers of each."""

from torch.nn import functional

from objectives.losses import Loss, Targets

__all__ = ["MSE"]

MSE = Loss("mse", functional.mse_loss, Targets.NUMBERS, ("loss", "mean_absolute_error"))
