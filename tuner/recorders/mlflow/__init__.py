"""The view of a run in MLflow."""
