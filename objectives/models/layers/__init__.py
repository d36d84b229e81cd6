"""Layers that models and the trainer share."""
