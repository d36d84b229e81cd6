"""What a trial's own code is told besides its hyperparameters."""

BATCH_SIZE, SEED, DEVICE, MAX_STEPS, CHECKPOINT = "batch_size", "seed", "device", "max_steps", "checkpoint"
RESERVED = frozenset({BATCH_SIZE, SEED, DEVICE, MAX_STEPS, CHECKPOINT})
"""The names of it. No hyperparameter may have one of them."""


def short_seed(seed: int) -> int:
    """A seed in 31 bits: many libraries and languages take no larger ones."""
    return seed % 2**31
