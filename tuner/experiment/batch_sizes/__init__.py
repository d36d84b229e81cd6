"""What an experiment says once for all batch sizes: hyperparameters by a rule, spaces, and budgets."""
