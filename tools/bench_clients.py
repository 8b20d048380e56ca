"""The clients: kernel sockets, plain and blocking where one connection is enough, epoll where it is not.

Each runs in a process of its own, so that what is measured is the server and not a share of it.
"""

from __future__ import annotations

import errno
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Final, NamedTuple

from bench_processes import answer

#: Seconds without any progress after which a client gives up.
PATIENCE: Final = 10.0

ECHO: Final = 7
SINK: Final = 9
SOURCE: Final = 19
HTTP: Final = 80
#: Accepts connections and leaves them alone, without a task for each.
HOLD: Final = 1

_BLOCK: Final = bytes(256 * 1024)
_GET: Final = b"GET /bytes/100 HTTP/1.1\r\nHost: bench\r\n%s\r\n"
_GET_AND_CLOSE: Final = _GET % b"Connection: close\r\n"
_GET_AND_KEEP: Final = _GET % b""
_MESSAGE: Final = bytes(64)


class Target(NamedTuple):
    """Where to connect, and whether it talks HTTP or (the raw TUN) not even that."""

    address: str
    http: bool = True


def connect(target: Target, port: int) -> socket.socket:
    """A connected blocking socket without Nagle's algorithm."""
    connection = socket.create_connection((target.address, port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


# -- Bulk --------------------------------------------------------------------------------------------


def upload(_: Connection, target: Target, size: int, connections: int) -> float:
    """Send ``size`` bytes over each of ``connections``; seconds until the last one is confirmed."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(connect(target, HTTP if target.http else SINK)) for _ in range(connections)
        ]
        start = time.perf_counter()
        if target.http:
            head = b"PUT /sink HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % size
            for each in sockets:
                each.sendall(head)
        if connections == 1:
            _send(sockets[0], size)
        else:
            _together(sockets, selectors.EVENT_WRITE, [_send_some(each, size) for each in sockets])
        for each in sockets:
            if target.http:
                _read_answer(each, b"bytes")
            else:
                each.shutdown(socket.SHUT_WR)
                while each.recv(4096):
                    pass
        return time.perf_counter() - start


def download(_: Connection, target: Target, size: int, connections: int) -> float:
    """Receive ``size`` bytes over each of ``connections``; seconds until the last byte has come."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(connect(target, HTTP if target.http else SOURCE)) for _ in range(connections)
        ]
        start = time.perf_counter()
        request = b"GET /bytes/%d HTTP/1.1\r\nHost: bench\r\n\r\n" if target.http else b"%d\n"
        for each in sockets:
            each.sendall(request % size)
        if connections == 1:
            _receive(sockets[0], size)
        else:
            _together(sockets, selectors.EVENT_READ, [_receive_some(each, size) for each in sockets])
        return time.perf_counter() - start


def curl_download(_: Connection, target: Target, size: int, connections: int) -> float:
    """``curl`` of ``/bytes/size``; seconds as curl itself counts them."""
    return _curl(["-o", "/dev/null", f"http://{target.address}/bytes/{size}"])


def curl_sink(_: Connection, target: Target, size: int, connections: int) -> float:
    """``curl`` of ``size`` zeros to ``/sink``."""
    return _curl_put(target, size, "sink")


def curl_upload(_: Connection, target: Target, size: int, connections: int) -> float:
    """``curl`` of ``size`` zeros to ``/upload``."""
    return _curl_put(target, size, "upload")


def _curl_put(target: Target, size: int, path: str) -> float:
    # A hole reads as zeros, and costs no disk.
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        return _curl(["-H", "Expect:", "-T", file.name, "-o", "/dev/null", f"http://{target.address}/{path}"])


def _curl(arguments: list[str]) -> float:
    command = ["curl", "--silent", "--fail", "--max-time", "60", "-w", "%{time_total} %{time_connect}", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(told[0]) - float(told[1])


def busy(pipe: Connection, target: Target) -> None:
    """Download without end, on one connection."""
    connection = connect(target, HTTP)
    connection.sendall(b"GET /bytes/1000000000000 HTTP/1.1\r\nHost: bench\r\n\r\n")
    buffer = bytearray(len(_BLOCK))
    connection.recv_into(buffer)
    answer(pipe, None)
    while connection.recv_into(buffer):
        pass


def _send(connection: socket.socket, size: int) -> None:
    for _ in range(size // len(_BLOCK)):
        connection.sendall(_BLOCK)
    connection.sendall(_BLOCK[: size % len(_BLOCK)])


def _receive(connection: socket.socket, size: int) -> None:
    buffer = bytearray(len(_BLOCK))
    while size > 0:
        got = connection.recv_into(buffer)
        if not got:
            raise EOFError(f"the connection ended {size} bytes too early")
        size -= got


def _send_some(connection: socket.socket, size: int) -> Iterator[None]:
    view = memoryview(_BLOCK)
    while size := size - connection.send(view[:size]):
        yield


def _receive_some(connection: socket.socket, size: int) -> Iterator[None]:
    buffer = bytearray(len(_BLOCK))
    while size > 0:
        got = connection.recv_into(buffer)
        if not got:
            raise EOFError(f"a connection ended {size} bytes too early")
        size -= got
        if size > 0:
            yield  # and not after the last byte: nothing would ever resume it


def _together(sockets: list[socket.socket], event: int, transfers: list[Iterator[None]]) -> None:
    """Run each transfer one step whenever its socket is ready for ``event``, until all have ended."""
    with selectors.DefaultSelector() as selector:
        for each, transfer in zip(sockets, transfers, strict=True):
            each.setblocking(False)
            selector.register(each, event, transfer)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise TimeoutError(f"nothing moved for {PATIENCE:g} s")
            for key, _ in ready:
                for _ in key.data:
                    break
                else:
                    selector.unregister(key.fileobj)
    for each in sockets:
        each.settimeout(PATIENCE)


def _read_answer(connection: socket.socket, wanted: bytes) -> None:
    text = b""
    while wanted not in text:
        data = connection.recv(4096)
        if not data:
            raise EOFError(f"not the answer expected: {text[:80]!r}")
        text += data


# -- Requests ----------------------------------------------------------------------------------------


class Requests(NamedTuple):
    """What became of many requests."""

    done: int
    seconds: float


def one_after_the_other(_: Connection, target: Target, seconds: float) -> Requests:
    """Connect, GET, read to the end, close, for so many ``seconds``."""
    count = 0
    start = time.perf_counter()
    while (now := time.perf_counter()) < start + seconds or not count:
        with connect(target, HTTP) as connection:
            connection.sendall(_GET_AND_CLOSE)
            text = connection.recv(65536)
            while data := connection.recv(65536):
                text += data
        _check_answer(text)
        count += 1
    return Requests(count, now - start)


def at_a_time(_pipe: Connection, target: Target, seconds: float, connections: int) -> Requests:
    """The same with ``connections`` at each moment."""
    with selectors.DefaultSelector() as selector:
        start = time.perf_counter()
        count = 0
        for _ in range(connections):
            _begin(selector, target)
        while (now := time.perf_counter()) < start + seconds or not count:
            ready = selector.select(PATIENCE)
            if not ready:
                raise TimeoutError(f"nothing moved for {PATIENCE:g} s")
            for key, event in ready:
                if _go_on(selector, key, event):
                    count += 1
                    _begin(selector, target)
        for key in list(selector.get_map().values()):
            key.data.connection.close()
        return Requests(count, now - start)


class _Request:
    __slots__ = ("connection", "text")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.text = b""


def _begin(selector: selectors.BaseSelector, target: Target) -> None:
    connection = socket.socket()
    connection.setblocking(False)
    problem = connection.connect_ex((target.address, HTTP))
    if problem not in (0, errno.EINPROGRESS):
        raise OSError(problem, "cannot connect")
    selector.register(connection, selectors.EVENT_WRITE, _Request(connection))


def _go_on(selector: selectors.BaseSelector, key: selectors.SelectorKey, event: int) -> bool:
    """Whether that request is over."""
    request: _Request = key.data
    connection = request.connection
    if event & selectors.EVENT_WRITE:
        connection.send(_GET_AND_CLOSE)
        selector.modify(connection, selectors.EVENT_READ, request)
        return False
    data = connection.recv(65536)
    if data:
        request.text += data
        return False
    _check_answer(request.text)
    selector.unregister(connection)
    connection.close()
    return True


def keep_alive(_: Connection, target: Target, seconds: float) -> Requests:
    """GETs one after the other on one connection."""
    with connect(target, HTTP) as connection:
        connection.sendall(_GET_AND_KEEP)
        time.sleep(0.05)
        length = len(connection.recv(65536))  # all answers are alike
        count = 0
        start = time.perf_counter()
        while (now := time.perf_counter()) < start + seconds or not count:
            connection.sendall(_GET_AND_KEEP)
            left = length
            while left > 0:
                data = connection.recv(65536)
                if not data:
                    raise EOFError("the connection ended")
                left -= len(data)
            count += 1
        return Requests(count, now - start)


def _check_answer(text: bytes) -> None:
    if not text.startswith(b"HTTP/1.1 200") or not text.partition(b"\r\n\r\n")[2]:
        raise ValueError(f"not the answer expected: {text[:80]!r}")


# -- Round trips -------------------------------------------------------------------------------------


class RoundTrips(NamedTuple):
    """Percentiles in seconds."""

    p50: float
    p99: float
    done: int


def round_trips(_: Connection, target: Target, seconds: float) -> RoundTrips:
    """Have 64 bytes echoed, for so many ``seconds``."""
    clock = time.perf_counter
    taken = []
    buffer = bytearray(len(_MESSAGE))
    with connect(target, ECHO) as connection:
        receive: Callable[[bytearray], int] = connection.recv_into
        end = clock() + seconds
        before = 0.0
        while before < end:
            before = clock()
            connection.sendall(_MESSAGE)
            got = receive(buffer)
            while got < len(_MESSAGE):
                more = connection.recv_into(memoryview(buffer)[got:])
                if not more:
                    raise EOFError("the connection ended")
                got += more
            taken.append(clock() - before)
    taken.sort()
    return RoundTrips(taken[len(taken) // 2], taken[len(taken) * 99 // 100], len(taken))


# -- Idle connections --------------------------------------------------------------------------------


def idle(pipe: Connection, target: Target, connections: int, port: int) -> None:
    """Open ``connections``, say so, and keep them until told to end."""
    with ExitStack() as stack:
        for _ in range(connections):
            connection = stack.enter_context(connect(target, port))
            if port == ECHO:
                connection.sendall(b"!")
                connection.recv(1)
        answer(pipe, None)
        pipe.recv()


def idle_once(_: Connection, target: Target, port: int) -> None:
    """Open one connection and close it, so that what the server needs once is there already."""
    with connect(target, port) as connection:
        if port == ECHO:
            connection.sendall(b"!")
            connection.recv(1)
