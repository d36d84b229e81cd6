"""What to train with: the time and the examples that each batch size takes to the target."""
