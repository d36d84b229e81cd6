"""The web pages of other projects: optuna-dashboard on the store, the MLflow UI on its database."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from socketserver import ThreadingMixIn
from types import FrameType
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tuner.analysis.sensitivity.importances import importances
from tuner.errors import StoreError, TunerError
from tuner.experiment.distributions import distributions_of
from tuner.experiment.space import Fixed
from tuner.guard import guarded
from tuner.passwords import shown
from tuner.recorders.mlflow.connection import local_database, refuse_unreadable, with_driver
from tuner.stores import Store
from tuner.stores.opening import open_store

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from tuner.stores.dashboard_view import DashboardView

GRACE_SECONDS = 5.0
"""How long the MLflow UI may take to answer what it was asked last."""

MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Seven more processes, for jobs of language models.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}
"""Settings of the MLflow UI; what the user has set himself stands."""

SERVED = ("sqlite:", "postgres", "mysql", "mssql", "file:")
"""How the URIs begin of what the MLflow UI can show."""

MLFLOW_PAGE = "#/experiments?workflowType=machine_learning"
"""Where MLflow lists experiments for training; its front page is about language models."""


def serve_optuna(store_url: str, *, host: str, port: int, names: Sequence[str] = ()) -> None:
    """Serve optuna-dashboard, for looking only, until SIGINT or SIGTERM.

    It runs in this process: started as a program, it would show the store's password among its arguments.

    Args:
        store_url: As `tuner.stores.opening.open_store` takes it.
        host: The address to listen on.
        port: The port to listen on.
        names: Under which the page may be asked for, beside addresses, `localhost` and `host`; `*` stands for anything.

    Raises:
        StoreError: The store cannot be opened.
        TunerError: The port cannot be used.
    """
    with _ended_by_signals():
        _check_port(host, port)
        import optuna_dashboard

        from tuner.stores.dashboard_view import DashboardView

        with closing(open_store(store_url, create=False)) as store:
            # A page may stay open for longer than connections live.
            engine_options = {"pool_pre_ping": True}
            storage = DashboardView(store.optuna_url, engine_kwargs=engine_options, skip_compatibility_check=True)
            ours = partial(importances_shown, store, storage)
            logging.getLogger("optuna_dashboard._bottle_util").addFilter(_first_line)
            application = _with_importances(_for_looking_only(optuna_dashboard.wsgi(storage)), ours)
            application = _for_names(application, ["localhost", host, *names])
            with make_server(host, port, application, _ThreadedServer, _QuietHandler) as server:
                print(f"optuna-dashboard on http://{host}:{port}/  (Ctrl-C ends it)", flush=True)
                server.serve_forever()


def serve_mlflow(tracking_uri: str, *, host: str, port: int) -> None:
    """Serve the MLflow UI until SIGINT or SIGTERM. The database's URI travels in the environment, not in arguments.

    Raises:
        TunerError: MLflow is a server already, there is no such database, the port cannot be used, or the UI ends by
            itself.
    """
    with _ended_by_signals():
        _check_database(tracking_uri)
        _check_port(host, port)
        command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
        environment = {
            **MLFLOW_ENVIRONMENT,
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": with_driver(tracking_uri),
        }
        environment.pop("MLFLOW_TRACKING_URI", None)
        print(f"MLflow starts on http://{host}:{port}/{MLFLOW_PAGE}  (Ctrl-C ends it)", flush=True)
        quiet = ["--uvicorn-opts", "--no-access-log"]
        server = subprocess.Popen(  # noqa: S603
            guarded([*command, *quiet], grace=GRACE_SECONDS),
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # so that Ctrl-C reaches us alone
        )
        try:
            code = server.wait()
        finally:
            server.communicate()  # closes its input, which ends it
        raise TunerError(f"the MLflow UI ended by itself with exit code {code}")


class _ThreadedServer(ThreadingMixIn, WSGIServer):
    """Browsers open connections ahead of need: served one by one, an idle one would hold up all others."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    """Does not write a line for every request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _for_looking_only(application: "WSGIApplication") -> "WSGIApplication":
    """The application without what changes the store, the record: the page has a button that deletes a study.

    Nor can a page on another site, open in the same browser, change it.
    """

    def looking_only(environment: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environment["REQUEST_METHOD"] in ("GET", "HEAD"):
            return application(environment, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [b'{"reason": "the store is shown for looking only"}']

    return looking_only


def _for_names(application: "WSGIApplication", names: Sequence[str]) -> "WSGIApplication":
    """The application for requests that name this server, as MLflow's does it.

    A page elsewhere may let its own name lead here (DNS rebinding), and would then be allowed to read what it gets. So
    the header `Host` must hold an address, which nobody can let lead elsewhere, or one of these names.
    """

    def named(environment: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if _is_ours(environment.get("HTTP_HOST", ""), names):
            return application(environment, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [b'{"reason": "this server has another name; tuner dashboard --allowed-hosts NAME adds one"}']

    return named


def _is_ours(asked: str, names: Sequence[str]) -> bool:
    """Whether a header `Host` holds an address, or one of these names with or without a port."""
    name = re.sub(r":\d*$", "", asked.lower()).removesuffix(".")
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return bool(name) and any(
            fnmatchcase(each, pattern.lower()) for pattern in names for each in (name, asked.lower())
        )
    return True


def _first_line(record: logging.LogRecord) -> bool:
    """Shortens what optuna-dashboard logs of an error to its first line, without the traceback."""
    record.msg, record.args = record.getMessage().partition("\n")[0], None
    return True


def _with_importances(
    application: "WSGIApplication", importances_of: Callable[[int], list[dict[str, object]]]
) -> "WSGIApplication":
    """The application with our importances for its own, which rank hyperparameters by another method.

    Args:
        application: The dashboard.
        importances_of: Those of the study with this number in Optuna's tables, as the page reads them.
    """

    def answering(environment: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        asked = re.fullmatch(r"/api/studies/(\d+)/param_importances/?", environment.get("PATH_INFO", ""))
        if asked is None or environment["REQUEST_METHOD"] != "GET":
            return application(environment, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"param_importances": [importances_of(int(asked[1]))]}).encode()]

    return answering


def importances_shown(store: Store, view: "DashboardView", study_id: int) -> list[dict[str, object]]:
    """The importances of a study as `tuner sensitivity` has them; empty for confirmation trials and for other studies.

    They are of the study's search up to this round.
    """
    attributes = view.search_attributes(study_id)
    if attributes is None:
        return []
    name, batch_size, number = attributes
    try:
        (study,) = (each for each in store.record(name).studies if each.batch_size == batch_size)
    except (StoreError, ValueError):
        return []
    distributions = distributions_of(study.until(number).space)
    shares = importances(study.until(number))
    searched = [each for each, one in study.space.parameters.items() if not isinstance(one, Fixed)]
    return [
        {"name": shown, "importance": shares[each], "distribution": type(distribution).__name__}
        for each, (shown, distribution) in zip(searched, distributions.items(), strict=True)
        if each in shares
    ]


def _check_database(tracking_uri: str) -> None:
    """Raise `TunerError` if there is nothing to serve."""
    refuse_unreadable(tracking_uri)
    if tracking_uri.startswith(("http://", "https://")):
        raise TunerError(f"MLflow is served already: open {shown(tracking_uri)} in a browser")
    if "://" in tracking_uri and not tracking_uri.startswith(SERVED):  # MLflow's own message would quote it whole
        raise TunerError(
            f"MLflow keeps nothing in {shown(tracking_uri)}; it is a database: sqlite:/// or postgresql://"
        )
    database = local_database(tracking_uri)
    if database is not None and not database.is_file():
        message = f"there is no MLflow database {shown(tracking_uri) if database == Path() else database}"
        raise TunerError(f"{message}; `tuner run` makes it, and --mlflow or MLFLOW_TRACKING_URI names another")


def _check_port(host: str, port: int) -> None:
    """Raise `TunerError` if a server cannot listen there."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            probe.bind((host, port))
    except OSError as error:
        message = f"port {port} of {host} cannot be used: {error.strerror}; choose another --port"
        raise TunerError(message) from error


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGINT and SIGTERM end its body without an error. Those that follow are ignored: it is ending."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
