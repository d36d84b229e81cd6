"""The workload `kind = "classification"`: what `supervised` does unless it is told another loss."""

from objectives.supervised import Supervised as Classification

__all__ = ["Classification"]
