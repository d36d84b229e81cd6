"""The web pages of others on our record: optuna-dashboard on the store, the MLflow UI on its database."""

import os
import subprocess
import sys
from contextlib import closing

from tuner.errors import TunerError
from tuner.stores.opening import open_store


def serve_optuna(store_url: str, *, host: str, port: int) -> None:
    """Serve optuna-dashboard until interrupted.

    It runs in this process: started as a program, it would show the store's password among its arguments.

    Raises:
        StoreError: The store cannot be opened.
        TunerError: The port is taken.
    """
    import optuna_dashboard
    from optuna.storages import RDBStorage

    with closing(open_store(store_url)) as store:
        storage = RDBStorage(store.optuna_url, skip_compatibility_check=True)
        print(f"optuna-dashboard on http://{host}:{port}/  (Ctrl-C ends it)", flush=True)
        try:
            optuna_dashboard.run_server(storage, host=host, port=port)
        except OSError as error:
            message = f"port {port} of {host} cannot be used: {error.strerror}; choose another --port"
            raise TunerError(message) from error
        except KeyboardInterrupt:
            return


def serve_mlflow(tracking_uri: str, *, host: str, port: int) -> None:
    """Serve the MLflow UI until interrupted. The database's address travels in the environment, not in arguments.

    Raises:
        TunerError: MLflow is a server already, or the UI ends with an error.
    """
    if tracking_uri.startswith(("http://", "https://")):
        raise TunerError(f"MLflow is served already: open {tracking_uri} in a browser")
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": tracking_uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    print(f"MLflow on http://{host}:{port}/  (Ctrl-C ends it)", flush=True)
    try:
        code = subprocess.call(command, env=environment)  # noqa: S603 - our own interpreter
    except KeyboardInterrupt:
        return
    if code:
        raise TunerError(f"the MLflow UI ended with exit code {code}; is port {port} taken?")
