"""What a host refuses to do."""

from __future__ import annotations


class AddressInUse(Exception):
    """Something listens on that port already, or all ports towards that peer are taken."""


class NotOurAddress(Exception):
    """The local address is not one of the host's, or the host has none of that family."""


class InvalidRemoteAddress(Exception):
    """No host can be there: a broadcast, multicast, loopback or unspecified address."""
