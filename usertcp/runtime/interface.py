"""The host's side of the TUN: addresses, MTU, up.  Netlink by pyroute2's synchronous ``IPRoute``."""

from __future__ import annotations

import errno
import ipaddress
import shlex
import time
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any, Final, NamedTuple, TypeAlias

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from usertcp.runtime.errors import SetupError

Interface: TypeAlias = IPv4Interface | IPv6Interface

# A TUN's own 500 is soon full when each segment is a packet: 800 unread ones lost 301.
QUEUE_LENGTH: Final = 10_000
LOOPBACK: Final = "lo"

#: How long to wait for an address to come into use, in seconds; microseconds are usual.
_PATIENCE: Final = 1.0

_IFA_F_NODAD: Final = 0x02
_IFF_UP: Final = 0x1
_RTN_LOCAL: Final = 2
# What adding an IPv6 address answers where IPv6 is switched off for the interface, or altogether
_NO_IPV6: Final = (errno.EACCES, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)


class Configured(NamedTuple):
    """What became of the interface."""

    addresses: tuple[Interface, ...]  # those of the stack's own that the host can reach
    warnings: tuple[str, ...]  # one line each, for a person


def parse_address(text: str) -> Interface:
    """Read an address of the stack's own with the length of its prefix, such as ``192.0.2.2/24``.

    :raises ValueError: with one line to show, when it is no address, has no prefix, cannot belong to
        one host, or leaves no address for the host's side.
    """
    if "/" not in text:
        raise ValueError(f"{text!r} has no prefix length: write it as 192.0.2.2/24 or fd00:9293::2/64")
    try:
        ours = ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address with a prefix length such as 192.0.2.2/24") from None
    ip = ours.ip  # IPv6Interface itself answers is_loopback for its whole prefix
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified or _is_reserved(ours):
        raise ValueError(f"{text} cannot be a host's address")
    host_side(ours)
    return ours


def host_side(ours: Interface, taken: Iterable[Interface] = ()) -> Interface:
    """The first address of our prefix that is neither ours nor one of `taken`: the host's.

    :raises ValueError: when the prefix has no other address.
    """
    unavailable = {int(ours), *(int(other) for other in taken if other.version == ours.version)}
    first = int(ours.network.network_address)
    last = int(ours.network.broadcast_address)
    for candidate in range(first, min(last, first + len(unavailable) + 1) + 1):
        host = type(ours)((candidate, ours.network.prefixlen))
        if candidate not in unavailable and not _is_reserved(host):
            return host
    raise ValueError(f"{ours} leaves no address for the host's side: give it a shorter prefix")


def _is_reserved(address: Interface) -> bool:
    """Whether the address names the network itself, its routers, or all of it (RFC 4291 §2.6.1)."""
    network = address.network
    if network.max_prefixlen - network.prefixlen < 2:
        return False  # RFC 3021, RFC 6164: both addresses of a point-to-point prefix are hosts
    if address.ip == network.network_address:
        return True
    return address.version == 4 and address.ip == network.broadcast_address


def configure(name: str, ours: Sequence[Interface], *, mtu: int, queue_length: int = QUEUE_LENGTH) -> Configured:
    """Make the stack's addresses reachable from the host through the interface `name`.

    Only what is not so yet is changed, so an interface that was prepared and handed over to somebody
    without privileges works.  Where IPv6 is disabled, its addresses are left out with a warning.

    :raises SetupError: an address of `ours` is the host's already, is routed elsewhere, no permission,
        or none is left.
    """
    warnings: list[str] = []
    with IPRoute() as netlink:
        _check_not_local(netlink, ours)
        link = _Link(netlink, name)
        reachable = tuple(address for address in ours if _make_reachable(link, address, ours, warnings))
        if not reachable:
            raise SetupError("IPv6 is disabled on this host: give an IPv4 address, as --address 192.0.2.2/24")
        _set_up(link, mtu, queue_length, warnings)
        for address in reachable:
            _check_route(link, address)
            _wait_until_local(link, address)
    return Configured(reachable, tuple(warnings))


def bring_up_loopback() -> None:
    """Bring ``lo`` up, which a new network namespace has down."""
    with IPRoute() as netlink:
        link = _Link(netlink, LOOPBACK)
        link.change(f"ip link set {LOOPBACK} up", state="up")


class _Link:
    """One interface, by netlink."""

    def __init__(self, netlink: Any, name: str) -> None:
        self.netlink = netlink
        self.name = name
        found = netlink.link_lookup(ifname=name)
        if not found:
            raise SetupError(f"there is no interface {name}")
        self.index: int = found[0]

    def get(self) -> Any:
        return self.netlink.link("get", index=self.index)[0]

    def addresses(self) -> list[Interface]:
        return [_address_of(message) for message in self.netlink.get_addr(index=self.index)]

    def change(self, command: str, **what: object) -> None:
        """Change the link; `command` is what a person with the permission would type."""
        try:
            self.netlink.link("set", index=self.index, **what)
        except NetlinkError as error:
            raise _explain(error, self.name, command) from error


def _make_reachable(link: _Link, address: Interface, ours: Sequence[Interface], warnings: list[str]) -> bool:
    """Give the host an address in the prefix of ours; False where the host has no IPv6."""
    if any(address.ip in present.network for present in link.addresses()):
        return True
    host = host_side(address, ours)
    flags = {"flags": _IFA_F_NODAD} if host.version == 6 else {}
    try:
        link.netlink.addr("add", index=link.index, address=str(host.ip), prefixlen=host.network.prefixlen, **flags)
    except NetlinkError as error:
        if host.version == 6 and error.code in _NO_IPV6:
            warnings.append(f"IPv6 is disabled on this host: going on without {address.ip}")
            return False
        raise _explain(error, link.name, f"ip address add {host} dev {link.name}") from error
    return True


def _set_up(link: _Link, mtu: int, queue_length: int, warnings: list[str]) -> None:
    present = link.get()
    if present.get_attr("IFLA_MTU") != mtu:
        link.change(f"ip link set {link.name} mtu {mtu}", mtu=mtu)
    if present.get_attr("IFLA_TXQLEN") < queue_length:
        try:
            command = f"ip link set {link.name} txqueuelen {queue_length}"
            link.change(command, txqlen=queue_length)
        except SetupError:
            warnings.append(f"the queue of {link.name} is short and may lose packets: sudo {command}")
    if not present["flags"] & _IFF_UP:
        link.change(f"ip link set {link.name} up", state="up")


def _check_not_local(netlink: Any, ours: Sequence[Interface]) -> None:
    """The kernel would answer for an address of its own, and we would never see a packet."""
    local = {_address_of(message).ip: message["index"] for message in netlink.get_addr()}
    for address in ours:
        if address.ip in local:
            raise SetupError(
                f"{address.ip} is this host's own address, on {_name_of(netlink, local[address.ip])}: "
                "choose another with --address CIDR"
            )


def _check_route(link: _Link, address: Interface) -> None:
    try:
        route = link.netlink.route("get", dst=str(address.ip))[0]
    except NetlinkError as error:
        raise SetupError(f"{address.ip} has no route: {error}") from error
    index = route.get_attr("RTA_OIF")
    if index != link.index:
        raise SetupError(
            f"this host routes {address.ip} by {_name_of(link.netlink, index)}, not by {link.name}: "
            "choose another prefix with --address CIDR"
        )


def _wait_until_local(link: _Link, address: Interface) -> None:
    """Wait for the kernel to know the host's side of ``address`` as its own.

    It takes IPv6 addresses into use in a worker of its own, and drops what we answer to them until then: a
    SYN,ACK, say, which comes again only after a second.
    """
    if address.version == 4:
        return
    host_addresses = [each.ip for each in link.addresses() if each.ip in address.network]
    deadline = time.monotonic() + _PATIENCE
    while not all(_is_local(link.netlink, each) for each in host_addresses) and time.monotonic() < deadline:
        time.sleep(0.001)


def _is_local(netlink: Any, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return bool(netlink.route("get", dst=str(ip))[0]["type"] == _RTN_LOCAL)
    except NetlinkError:
        return False


def _address_of(message: Any) -> Interface:
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return ipaddress.ip_interface(f"{text}/{message['prefixlen']}")


def _name_of(netlink: Any, index: int) -> str:
    links = netlink.get_links(index)
    return str(links[0].get_attr("IFLA_IFNAME")) if links else "an interface without a name"


def _explain(error: NetlinkError, name: str, command: str) -> SetupError:
    if error.code in (errno.EPERM, errno.EACCES):
        return SetupError(f"no permission to configure {name}: run it as root, or first: sudo {command}")
    return SetupError(f"cannot configure {name} ({shlex.quote(command)}): {error.args[-1]}")
