"""Where data of the user's enter: whatever they are, they are checked once and leave as tensors in three parts."""
