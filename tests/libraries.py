"""Other people's libraries that commands load, loaded when this is imported. See `loaded`."""

import os
from importlib import import_module

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # no threads

for each in (
    "alembic",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna",
    "pandas",
    "psycopg",
    "pydantic",
    "rich.table",
    "scipy.optimize",
    "scipy.stats",
    "sqlalchemy",
    "tenacity",
    "typer",
):
    import_module(each)
