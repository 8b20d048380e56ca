"""What a host refuses to do: OSErrors, with the ``errno`` that a kernel has for it."""

from __future__ import annotations

from errno import EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH


class AddressInUse(OSError):
    """Something listens on that port already, or all ports towards that peer are taken."""

    errno: int | None = EADDRINUSE


class NotOurAddress(OSError):
    """The local address is not one of the host's, or the host has none of that family."""

    errno: int | None = EADDRNOTAVAIL


class InvalidRemoteAddress(OSError):
    """No host can be there: a broadcast, multicast, loopback or unspecified address."""

    errno: int | None = ENETUNREACH
