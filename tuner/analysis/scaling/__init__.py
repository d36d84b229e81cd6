"""What changes with the batch size: steps to target, the critical batch size, hyperparameters at the optimum."""
