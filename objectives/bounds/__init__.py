"""Bounds of hyperparameters: the values that make sense to an optimizer, a schedule or a model."""
