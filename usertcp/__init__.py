"""usertcp: a complete TCP in user space (RFC 9293), on trio and a Linux TUN."""

__version__ = "0.1.0"

from usertcp.runtime.device import DeviceGone, PacketDevice
from usertcp.runtime.errors import SetupError
from usertcp.runtime.listener import TcpListener
from usertcp.runtime.stack import Stack, open_stack
from usertcp.runtime.stream import TcpStream
from usertcp.stack.host import HostConfig
from usertcp.tcp.settings import Settings
from usertcp.tcp.status import Status

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
    "open_stack",
]
