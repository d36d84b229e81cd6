"""Optimizers as functions of stacked tensors, with one hyperparameter value per lane."""
