"""Training code: workloads that implement `tuner.objective`. Knows nothing of Optuna, MLflow or SQL."""
