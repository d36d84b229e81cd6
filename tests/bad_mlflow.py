"""MLflow servers that are broken in the ways that real ones are: behind proxies, on full machines, at wrong addresses.

Each is a server on loopback, of this process. `BadServer("silent")` says which way.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["silent", "throttling", "dripping", "failing", "redirecting", "lost", "garbled", "closing"]

FAULTS: tuple[Fault, ...] = (
    "silent",
    "throttling",
    "dripping",
    "failing",
    "redirecting",
    "lost",
    "garbled",
    "closing",
)
DRIP_SECONDS = 0.5
LONG = 100_000
"""Bytes that a dripping server promises."""


@dataclass(slots=True)
class BadServer:
    """Answers each request wrongly, or not at all.

    Attributes:
        fault: `silent` takes connections and never answers. `throttling` answers 429 and asks to be left alone for ten
            minutes. `dripping` sends a body of 100,000 bytes at two a second. `failing` answers 500. `redirecting`
            sends everybody to itself, for ever. `lost` sends them to an address where nobody answers. `garbled` sends
            what is no JSON. `closing` hangs up.
        port: Where it is, or shall be; any that is free by default.
        connections: How many there have been.
    """

    fault: Fault
    port: int = 0
    connections: int = 0
    _listener: socket.socket = field(init=False)
    _ended: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Hang up on everybody."""
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self.fault == "silent":
            return
        with suppress(OSError), connection:
            while _read_request(connection) and self.fault != "closing":
                for part in self._answer():
                    connection.sendall(part)

    def _answer(self) -> Iterator[bytes]:
        match self.fault:
            case "throttling":
                yield _response("429 Too Many Requests", b"slow down", "Retry-After: 600")
            case "failing":
                yield _response("500 Internal Server Error", b"the database is locked")
            case "redirecting":
                yield _response("307 Temporary Redirect", b"", f"Location: {self.url}/again")
            case "lost":
                yield _response("307 Temporary Redirect", b"", "Location: http://192.0.2.1/mlflow")
            case "garbled":
                yield _response("200 OK", b"<html>Please log in to the guest network</html>")
            case "dripping":
                yield f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {LONG}\r\n\r\n".encode()
                for _ in range(LONG):
                    if self._ended.wait(DRIP_SECONDS):
                        return
                    yield b" "


@contextmanager
def bad_server(fault: Fault, *, port: int = 0) -> Iterator[BadServer]:
    """Within it, there is such a server."""
    server = BadServer(fault, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def seconds_of(action: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _read_request(connection: socket.socket) -> bool:
    """Read a request with its body; whether there was one."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        if not more:
            return False
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0:
        left -= len(connection.recv(65536)) or left
    return True


def _response(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body
