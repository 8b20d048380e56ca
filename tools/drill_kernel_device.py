"""One network of a kernel: a TUN, the addresses that a script speaks of, packets in, packets out with their times.

The TUN takes checksums and TCP segmentation over from the kernel, so that super-segments come out whole, as they
would reach a network card.  What leaves is not read from the TUN but by a packet socket: the kernel stamps it there at
the moment when it leaves, however late this process comes to read it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import ipaddress
import os
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from usertcp.runtime.errors import SetupError
from usertcp.runtime.interface import bring_up_loopback
from usertcp.runtime.tun import Tun
from usertcp.wire import virtio
from usertcp.wire.checksum import finish, ones_sum

NAME: Final = "drill0"
_QUEUE: Final = 1000
_READ_SIZE: Final = 65_536 + virtio.LENGTH + 128
_SOCKET_BUFFER: Final = 16 << 20
#: Seconds for an address to come into use; microseconds are usual.
_PATIENCE: Final = 1.0
_PLAIN: Final = bytes(virtio.LENGTH)

# <linux/if_ether.h>, <linux/if_packet.h>, <asm/socket.h>, <linux/if_addr.h>
_ETH_P_ALL: Final = 0x0003
_PACKET_OUTGOING: Final = 4
_SOL_PACKET: Final = 263
_PACKET_VNET_HDR: Final = 15
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_IFA_F_NODAD: Final = 0x02
_RTN_LOCAL: Final = 2
# <linux/sockios.h>, <linux/ethtool.h>
_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_STSO: Final = 0x1F
_TIMESPEC: Final = struct.Struct("@qq")

# ICMPv6 types in which IPv6 talks of its own accord to routers, neighbours and multicast listeners
_NEIGHBOUR_TALK: Final = range(130, 144)
_HOP_BY_HOP, _ICMPV6 = 0, 58
_NO_CHATTER: Final = {
    "net/ipv6/conf/{}/accept_ra": "0",
    "net/ipv6/conf/{}/router_solicitations": "0",
    "net/ipv6/conf/{}/addr_gen_mode": "1",
    "net/ipv4/conf/{}/rp_filter": "0",
}


class Link(NamedTuple):
    """What the network is to look like: addresses with their prefixes, bytes of MTU."""

    local: tuple[str, ...] = ("192.168.0.1/16", "fd3d:a0b:17d6::1/48")
    #: Addresses of the peer with the prefixes that lead there, too.
    remote: tuple[str, ...] = ("192.0.2.1/24", "fd3d:fa7b:d17d::1/48")
    mtu: int = 1500


class Sent(NamedTuple):
    """A packet that left: when, in seconds of the monotonic clock, and its bytes from the IP header on."""

    time: float
    packet: bytes


class Device:
    """The TUN of the namespace that the caller is in, which must be one made for this.

    :raises SetupError: it cannot be made or configured.
    """

    def __init__(self, link: Link) -> None:
        bring_up_loopback()
        self._tun = Tun(NAME, mtu=link.mtu)
        self._networks = [str(ipaddress.ip_interface(text).network) for text in link.remote]
        try:
            if not self._tun.offload:
                raise SetupError("this kernel's TUN has no offload: super-segments would not come whole")
            _configure(link)
            self._tap = _packet_socket()
        except BaseException:
            self._tun.close()
            raise

    def fileno(self) -> int:
        """Readable when :meth:`sent` has something to give."""
        return self._tap.fileno()

    def inject(self, packet: bytes) -> None:
        """Hand ``packet`` to the kernel, which deals with it, and answers what it answers at once, before this ends.

        What no interface would take (an impossible IP version, nothing at all) is lost.
        """
        self._tun.send((_PLAIN, packet))

    def sent(self) -> list[Sent]:
        """What left since the last call, in order."""
        packets: list[Sent] = []
        while (sent := self._next()) is not None:
            packets.append(sent)
        while self._tun.receive() is not None:
            pass
        return [each for each in packets if not _is_chatter(each.packet)]

    def set_mtu(self, mtu: int) -> None:
        """Change the interface's MTU, in bytes.  Raises OSError."""
        with IPRoute() as netlink, _os_errors():
            netlink.link("set", index=_index(netlink), mtu=mtu)

    def set_segmentation(self, on: bool) -> None:
        """Whether super-segments come out whole, or as the segments that they stand for.  Raises OSError."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STSO, on))
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("@16sP", NAME.encode(), ctypes.addressof(value)))

    def set_route_metrics(self, metrics: Iterable[tuple[str, str]]) -> None:
        """Give the routes to the peer these, by their names in ``ip route``.  Raises OSError."""
        known = dict(route_metric(name, value) for name, value in metrics)
        with IPRoute() as netlink, _os_errors():
            for network in self._networks:
                netlink.route("replace", dst=network, oif=_index(netlink), metrics=known)

    def close(self) -> None:
        """Remove the interface."""
        self._tap.close()
        self._tun.close()

    def _next(self) -> Sent | None:
        """The next packet that left."""
        while True:
            try:
                data, ancillary, _, address = self._tap.recvmsg(_READ_SIZE, 128, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno == errno.ENETDOWN:
                    continue
                raise
            if address[2] == _PACKET_OUTGOING and len(data) > virtio.LENGTH:
                return Sent(_stamp(ancillary), _completed(data))


def write_sysctl(path: str, value: str) -> None:
    """Set ``net/ipv4/tcp_sack``, say, in the caller's namespace.  Raises OSError, also where there is none."""
    (Path("/proc/sys") / path).write_text(value)


def _configure(link: Link) -> None:
    try:
        with IPRoute() as netlink:
            index = netlink.link_lookup(ifname=NAME)[0]
            for template, value in _NO_CHATTER.items():
                for where in ("all", NAME):
                    with suppress(OSError):
                        write_sysctl(template.format(where), value)
            netlink.link("set", index=index, mtu=link.mtu, txqlen=_QUEUE, state="up")
            with suppress(NetlinkError):  # the same where it is the default already, or the kernel has no other
                netlink.tc("replace", "pfifo", index=index, limit=_QUEUE)
            for text in link.local:
                _add_address(netlink, index, text)
            for text in link.remote:
                netlink.route("replace", dst=str(ipaddress.ip_interface(text).network), oif=index)
            for text in link.local:
                _wait_until_local(netlink, str(ipaddress.ip_interface(text).ip))
    except NetlinkError as error:
        raise SetupError(f"cannot configure {NAME}: {error}") from error


def _index(netlink: Any) -> int:
    return int(netlink.link_lookup(ifname=NAME)[0])


@contextmanager
def _os_errors() -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from None


#: The kernel keeps these times in parts of a millisecond.
_PARTS: Final = {"rtt": 8, "rttvar": 4, "rto_min": 1}
_ECN: Final = 1


def route_metric(name: str, text: str) -> tuple[str, int | str]:
    """A metric of ``ip route`` as netlink has it.  Raises OSError."""
    if name == "congctl":
        return "cc_algo", text
    if name == "features":
        return name, _ECN if text == "ecn" else 0
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|)", text)
    if match is None:
        raise OSError(errno.EINVAL, f"{name} {text}")
    return name, int(match[1]) * (1000 if match[2] == "s" else 1) * _PARTS.get(name, 1)


def _add_address(netlink: Any, index: int, text: str) -> None:
    address = ipaddress.ip_interface(text)
    flags = {"flags": _IFA_F_NODAD} if address.version == 6 else {}
    netlink.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen, **flags)


def _wait_until_local(netlink: Any, address: str) -> None:
    """Wait for the kernel to know the address as its own: it takes those of IPv6 into use in a worker."""
    deadline = time.monotonic() + _PATIENCE
    while not _is_local(netlink, address) and time.monotonic() < deadline:
        time.sleep(0.001)


def _is_local(netlink: Any, address: str) -> bool:
    try:
        return bool(netlink.route("get", dst=address)[0]["type"] == _RTN_LOCAL)
    except NetlinkError:
        return False


def _packet_socket() -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        tap.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        with suppress(PermissionError):  # in a user namespace the ordinary size has to do
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _SOCKET_BUFFER)
        tap.bind((NAME, _ETH_P_ALL))
    except BaseException:
        tap.close()
        raise
    return tap


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> float:
    """The kernel's time stamp, on the monotonic clock."""
    now, real = time.monotonic(), time.time()
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return now - real + int(seconds) + int(nanoseconds) / 1e9
    return now


def _completed(data: bytes) -> bytes:
    """The packet behind its virtio header, with the checksum that the kernel left to the device."""
    header = virtio.NetHeader._make(struct.unpack_from("=BBHHHH", data))
    packet = data[virtio.LENGTH :]
    if not header.flags & virtio.NEEDS_CSUM:
        return packet
    at = header.csum_start + header.csum_offset
    # The field holds the pseudo-header's sum, which is a part of what is summed.
    checksum = finish(ones_sum(packet[header.csum_start :]))
    return packet[:at] + checksum.to_bytes(2, "big") + packet[at + 2 :]


def _is_chatter(packet: bytes) -> bool:
    """Whether this is IPv6 looking for neighbours, which no script speaks of."""
    if packet[0] >> 4 != 6 or len(packet) < 48:
        return False
    kind, at = packet[6], 40
    if kind == _HOP_BY_HOP:
        kind, at = packet[40], 40 + 8 * (packet[41] + 1)
    return kind == _ICMPV6 and at < len(packet) and packet[at] in _NEIGHBOUR_TALK
