"""usertcp: a complete TCP in user space (RFC 9293), on trio and a Linux TUN.

    async with usertcp.open_stack() as stack:
        listener = await stack.open_listener(80)
        await trio.serve_listeners(handler, [listener])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usertcp.control.server import controlled
    from usertcp.runtime.device import DeviceGone, PacketDevice
    from usertcp.runtime.errors import SetupError
    from usertcp.runtime.listener import TcpListener
    from usertcp.runtime.sockets.programs import kernel_sockets, trio_sockets
    from usertcp.runtime.stack import Stack, open_stack
    from usertcp.runtime.stream import TcpStream
    from usertcp.stack.host import HostConfig
    from usertcp.tcp.settings import Settings
    from usertcp.tcp.status import Status

__version__ = "0.1.0"

__all__ = [
    "DeviceGone",
    "HostConfig",
    "PacketDevice",
    "Settings",
    "SetupError",
    "Stack",
    "Status",
    "TcpListener",
    "TcpStream",
    "controlled",
    "core_is_compiled",
    "kernel_sockets",
    "open_stack",
    "trio_sockets",
]

# Loaded when first asked for, so that the core can be used without trio and the TUN's libraries.
_HOMES = {
    "DeviceGone": "usertcp.runtime.device",
    "HostConfig": "usertcp.stack.host",
    "PacketDevice": "usertcp.runtime.device",
    "Settings": "usertcp.tcp.settings",
    "SetupError": "usertcp.runtime.errors",
    "Stack": "usertcp.runtime.stack",
    "Status": "usertcp.tcp.status",
    "TcpListener": "usertcp.runtime.listener",
    "TcpStream": "usertcp.runtime.stream",
    "controlled": "usertcp.control.server",
    "kernel_sockets": "usertcp.runtime.sockets.programs",
    "open_stack": "usertcp.runtime.stack",
    "trio_sockets": "usertcp.runtime.sockets.programs",
}


def core_is_compiled() -> bool:
    """Whether the core runs as mypyc compiled it (see scripts/compile), and not as Python."""
    return not str(import_module("usertcp.tcp.connection").__file__).endswith(".py")


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'usertcp' has no attribute {name!r}")
    return getattr(import_module(home), name)
