"""PostgreSQL's TLS options reach every connection of a store: its own, Optuna's, and those of locks."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError
from typing import Self

import optuna
import psycopg
import pytest
from sqlalchemy import make_url

from tests.contracts.stored import achieved, plan, small
from tuner.errors import StoreError
from tuner.stores.opening import open_store

TLS_PLEASE = bytes.fromhex("0000000804d2162f")
"""What a client of PostgreSQL says first if it wants TLS."""


class Terminator:
    """Speaks TLS with clients, and hands what they say on to a server without. Hangs up on whoever wants no TLS.

    Attributes:
        port: Where it listens.
        accepted: How many clients liked its certificate.
    """

    def __init__(self, server: Path, context: SSLContext) -> None:
        self._server = server
        self._context = context
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self.port = self.accepted = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(SSLError, OSError, asyncio.IncompleteReadError), closing(writer):
            if await reader.readexactly(8) == TLS_PLEASE:
                writer.write(b"S")
                await writer.start_tls(self._context)
                self.accepted += 1
                there, here = await asyncio.open_unix_connection(str(self._server))
                with closing(here):
                    pumps = [asyncio.create_task(pump(*each)) for each in ((reader, here), (there, writer))]
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what is read until it ends."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def certificate(folder: Path, name: str) -> Path:
    """A certificate of localhost, signed by itself; its key lies beside it."""
    path = folder / f"{name}.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path.with_suffix(".key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *key, "-out", path, *subject], check=True, stderr=subprocess.DEVNULL
    )
    return path


@pytest.fixture
def encrypted(postgres_url: str, tmp_path: Path) -> Iterator[tuple[str, Terminator]]:
    """The URL of a fresh database behind TLS, and what terminates it. `tmp_path` has the certificate."""
    with psycopg.connect(postgres_url) as connection:
        socket = Path(connection.info.host) / f".s.PGSQL.{connection.info.port}"
    if not socket.is_socket():
        pytest.skip("this server is not reached by a socket of this machine")
    right = certificate(tmp_path, "right")
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(right, right.with_suffix(".key"))
    with Terminator(socket, context) as terminator:
        url = make_url(postgres_url).set(host="localhost", port=terminator.port, query={})
        yield url.render_as_string(hide_password=False), terminator


def use(url: str) -> None:
    """Everything for which a store connects."""
    with closing(open_store(url)) as store, store.listen():
        store.submit(small())
        with store.claim("small", 64) as claim:
            assert claim is not None
            claim.finish(claim.start(plan(0)), achieved(), loss=1.0)
        study = optuna.load_study(study_name="small/batch_size=64/round=1", storage=store.optuna_url)
    assert study.best_value == 1.0


def test_every_connection_is_encrypted_to_a_server_that_is_verified(
    encrypted: tuple[str, Terminator], tmp_path: Path
) -> None:
    url, terminator = encrypted

    use(f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/right.pem")

    assert terminator.accepted >= 4


def test_the_options_may_come_from_the_environment(
    encrypted: tuple[str, Terminator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "right.pem"))

    use(encrypted[0])

    monkeypatch.setenv("PGSSLROOTCERT", str(certificate(tmp_path, "wrong")))
    with pytest.raises(StoreError, match="certificate verify failed"):
        open_store(encrypted[0])


def test_a_server_with_another_certificate_or_another_name_is_refused(
    encrypted: tuple[str, Terminator], tmp_path: Path
) -> None:
    url, _ = encrypted
    wrong = certificate(tmp_path, "wrong")

    with pytest.raises(StoreError, match=r"cannot be opened: .*certificate verify failed"):
        open_store(f"{url}?sslmode=verify-full&sslrootcert={wrong}")
    renamed = url.replace("localhost", "127.0.0.1")
    with pytest.raises(
        StoreError, match=r'server certificate for "localhost" .*does not match host name "127\.0\.0\.1"'
    ):
        open_store(f"{renamed}?sslmode=verify-full&sslrootcert={tmp_path}/right.pem")
