"""What the socket layer of a system decides, beside what TCP does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SocketConfig:
    """The variables of a system that belong to its sockets.  Sizes are bytes, as an application sees them."""

    #: Bound of listen()'s backlog (net.core.somaxconn, kern.ipc.soacceptqueue).
    somaxconn: int = 4096
    #: Unsent bytes above which a socket is not writable (net.ipv4.tcp_notsent_lowat).
    notsent_lowat: int = 0xFFFFFFFF
