"""What the socket layer of a system decides, beside what TCP does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: What Linux charges a socket for one packet in its send queue, beside the payload (measured on 6.18).
PACKET_OVERHEAD: Final = 832
#: No limit at all.
UNLIMITED: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class SocketConfig:
    """The variables of a system that belong to its sockets, as they are named there.  Sizes are bytes."""

    #: Bound of listen()'s backlog (net.core.somaxconn, kern.ipc.soacceptqueue).
    somaxconn: int = 4096
    #: How much the send buffer of a TCP socket holds at first, and to how much it may grow with the congestion
    #: window (net.ipv4.tcp_wmem; net.inet.tcp.sendspace, sendbuf_max).
    send_buffer: int = 4 << 20
    most_send_buffer: int = 4 << 20
    #: What setsockopt(SO_SNDBUF) and SO_RCVBUF allow (net.core.wmem_max, rmem_max; kern.ipc.maxsockbuf).
    send_buffer_limit: int = 4 << 20
    receive_buffer_limit: int = 4 << 20
    #: What is told of a receive buffer (net.core.rmem_default, for UDP).
    receive_buffer: int = 212992
    #: What each packet in the send buffer is charged beside its payload; 0: only bytes are counted.
    packet_overhead: int = 0
    #: The kernel doubles what an application asks for, to have room for its own structures.
    doubles_buffers: bool = True
    #: Unsent bytes above which a socket is not writable (net.ipv4.tcp_notsent_lowat).
    notsent_lowat: int = UNLIMITED
    #: net.ipv4.tcp_fastopen: 1: clients, 2: servers, 4: clients without a cookie, 0x200: servers without a cookie,
    #: 0x400: every listener.
    fast_open: int = 3
