"""The two ends of a path: a process each, a sender or a receiver, on the kernel's TCP or on usertcp.

A sender sends as much as it can for so many seconds and answers what its TCP counted.  A receiver answers
twice: None when it listens, and how many bytes it had got so many seconds after it accepted.  Then both stay
until they are ended, so that the end of one disturbs nothing that the other still measures.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import bench_loss_path as path
import trio
from bench_processes import answer

from usertcp.runtime import interface, namespace
from usertcp.runtime.device import DeviceGone
from usertcp.runtime.stack import open_stack
from usertcp.runtime.tun import Tun
from usertcp.wire.buffer import Buffer

KERNEL: Final = "kernel"
USERTCP: Final = "usertcp"
# RFC 2544: 198.18.0.0/15 is for benchmarks.
SENDER: Final = "198.18.0.1"
RECEIVER: Final = "198.18.0.2"
PORT: Final = 9
CONTROL: Final = "cubic"
_CHUNK: Final = bytes(65536)
#: A connection attempt may lose some SYNs.
_CONNECTING: Final = 20.0
#: What is read of the kernel's counters: of the namespace, which has one connection.
_KERNEL_COUNTERS: Final = {
    "RetransSegs": "retransmissions",
    "TCPTimeouts": "timeouts",
    "TCPLossProbes": "probes",
    "TCPFullUndo": "undone",
    "TCPDSACKUndo": "undone-by-dsack",
    "TCPLossUndo": "timeouts-undone",
    "TCPDSACKRecv": "dsacks",
    "TCPLostRetransmit": "retransmissions-lost",
}
_OUR_COUNTERS: Final = {
    "retransmissions": "retransmissions",
    "retransmission-timeouts": "timeouts",
    "tail-loss-probes": "probes",
    "recoveries-undone": "undone",
    "dsacks-received": "dsacks",
}


# -- The kernel's TCP ------------------------------------------------------------------------------------


def kernel_sender(pipe: Connection, relay: socket.socket, seconds: float) -> None:
    """Send from a network namespace of its own."""
    _tun = _network(relay, RECEIVER)
    sock = _kernel_socket()
    sock.settimeout(_CONNECTING)
    sock.connect((RECEIVER, PORT))
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            sock.send(_CHUNK)
        except TimeoutError:
            break
    answer(pipe, _kernel_counters())
    pipe.recv()


def kernel_receiver(pipe: Connection, relay: socket.socket, seconds: float) -> None:
    """Receive in a network namespace of its own."""
    _tun = _network(relay, SENDER)
    listener = _kernel_socket()
    listener.bind((RECEIVER, PORT))
    listener.listen()
    answer(pipe, None)
    sock, _ = listener.accept()
    end = time.monotonic() + seconds
    received = 0
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            received += len(sock.recv(1 << 20))
        except TimeoutError:
            break
    answer(pipe, received)
    pipe.recv()


def _network(relay: socket.socket, peer: str) -> Tun:
    """A namespace in which the kernel reaches ``peer`` by the relay.  Raises SetupError."""
    namespace.enter()
    tun = Tun("path0", mtu=path.MTU, offload=False)
    interface.configure(tun.name, [interface.parse_address(f"{peer}/30")], mtu=path.MTU)
    path.attach(relay, tun._fd)
    return tun


def _kernel_socket() -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONTROL.encode())
    return sock


def _kernel_counters() -> dict[str, float]:
    counters: dict[str, float] = {}
    for file in ("snmp", "netstat"):
        lines = Path(f"/proc/thread-self/net/{file}").read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            for name, value in zip(names.split(), values.split(), strict=True):
                if name in _KERNEL_COUNTERS:
                    counters[_KERNEL_COUNTERS[name]] = int(value)
    return counters


# -- usertcp ---------------------------------------------------------------------------------------------


class RelayDevice:
    """The relay as a device: each packet is a message of its socket."""

    mtu = path.MTU
    offload = False

    def __init__(self, relay: socket.socket) -> None:
        relay.setblocking(False)
        path.attach(relay)
        self._socket = relay

    async def wait_readable(self) -> None:
        await trio.lowlevel.wait_readable(self._socket)

    async def wait_writable(self) -> None:
        await trio.lowlevel.wait_writable(self._socket)

    def receive(self) -> bytes | None:
        try:
            packet = self._socket.recv(65536)
        except BlockingIOError:
            return None
        if not packet:
            raise DeviceGone("the relay has ended")
        return packet

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        try:
            self._socket.sendmsg(buffers)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """The socket is the process's, and ends with it."""

    def counters(self) -> dict[str, int]:
        return {}


def usertcp_sender(pipe: Connection, relay: socket.socket, seconds: float) -> None:
    """Send by our own TCP."""
    trio.run(_send, pipe, relay, seconds)


def usertcp_receiver(pipe: Connection, relay: socket.socket, seconds: float) -> None:
    """Receive by our own TCP."""
    trio.run(_receive, pipe, relay, seconds)


async def _send(pipe: Connection, relay: socket.socket, seconds: float) -> None:
    async with open_stack(RelayDevice(relay), addresses=[f"{SENDER}/30"], grace=0) as stack:
        with trio.fail_after(_CONNECTING):
            stream = await stack.open_stream(RECEIVER, PORT)
        if stream.status().congestion_control != CONTROL:
            raise RuntimeError(f"usertcp does not use {CONTROL}")
        with trio.move_on_after(seconds):
            while True:
                await stream.send_all(_CHUNK)
        stats = stack.stats()
        answer(pipe, {name: stats.get(ours, 0) for ours, name in _OUR_COUNTERS.items()})
        await trio.sleep_forever()


async def _receive(pipe: Connection, relay: socket.socket, seconds: float) -> None:
    received = 0
    async with open_stack(RelayDevice(relay), addresses=[f"{RECEIVER}/30"], grace=0) as stack:
        listener = await stack.open_listener(PORT)
        answer(pipe, None)
        stream = await listener.accept()
        with trio.move_on_after(seconds):
            while data := await stream.receive_some(1 << 20):
                received += len(data)
        answer(pipe, received)
        await trio.sleep_forever()


End = Callable[[Connection, socket.socket, float], Any]
SENDERS: Final[dict[str, End]] = {KERNEL: kernel_sender, USERTCP: usertcp_sender}
RECEIVERS: Final[dict[str, End]] = {KERNEL: kernel_receiver, USERTCP: usertcp_receiver}
