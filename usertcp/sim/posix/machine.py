"""The system calls of a host, for programs that drive it packet by packet."""

from __future__ import annotations

from usertcp.sim.posix.file_calls import FileCalls
from usertcp.sim.posix.poll_calls import PollCalls
from usertcp.sim.posix.socket_calls import SocketCalls


class Machine(SocketCalls, FileCalls, PollCalls):
    """One process on one host, in virtual time.

    ``Machine(host, now=0.0, personality="linux", config=None, whole=True)``

    Packets go in by :meth:`receive` and out by :meth:`sent`; time goes on by :meth:`advance`, never by itself, and
    :meth:`deadline` says when something would happen.  The system calls are methods with the names, arguments and
    meanings that POSIX and Linux give them; addresses are :class:`~usertcp.sim.posix.addresses.SocketAddress`,
    options and control messages bytes as Linux lays them out, numbers those of :mod:`.constants`.

    A call that fails raises OSError with its ``errno``.  One that would sleep raises
    :class:`~usertcp.sim.posix.errors.Asleep`, by which it goes on later.  What this machine cannot do at all raises
    :class:`~usertcp.sim.posix.errors.NotSupported`, also where a kernel could.

    ``personality`` ("linux", "freebsd") chooses among errno and the like where systems differ; how TCP itself acts
    is for the host's settings.  ``whole``: super-segments of a host with offload come out as one IP packet, as the
    device gets them; False: as the segments that it makes of them.  The host must not be driven by anybody else.
    """
