"""How long a training step takes at each batch size, measured on a device."""

from tuner.search.timing.studies import timings

__all__ = ["timings"]
