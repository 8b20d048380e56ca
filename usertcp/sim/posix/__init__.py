"""System calls on a sans-IO host: sockets as POSIX and Linux have them, in virtual time, packet by packet."""

from __future__ import annotations

from usertcp.sim.posix.addresses import UNSPECIFIED, SocketAddress, socket_address
from usertcp.sim.posix.config import SocketConfig
from usertcp.sim.posix.errors import Asleep, NotSupported
from usertcp.sim.posix.machine import Machine
from usertcp.sim.posix.sockets import Message

__all__ = [
    "UNSPECIFIED",
    "Asleep",
    "Machine",
    "Message",
    "NotSupported",
    "SocketAddress",
    "SocketConfig",
    "socket_address",
]
