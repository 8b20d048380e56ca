"""The ceiling: how fast Python can move bytes through a TUN if it leaves out all of TCP that it can.

A sink and a source under trio that do just enough for the kernel to send and to receive: handshake, one
acknowledgment a batch, the peer's window, going back when nothing moves.  No options but MSS and window
scale, no timers, no buffers, no streams, no congestion control, IPv4 only.  Without offload checksums are
verified and computed, as anybody would have to.
"""

from __future__ import annotations

import ipaddress
import os
from math import inf
from multiprocessing.connection import Connection
from struct import Struct
from typing import Final

import trio
from bench_clients import SOURCE
from bench_processes import answer

from usertcp.runtime import interface
from usertcp.runtime.tun import Tun

_BATCH: Final = 64
_MSS: Final = 1460
_SHIFT: Final = 8
_WINDOW: Final = 0x7FFF  # 8 MiB with the shift
_STALLED: Final = 0.2  # seconds without an acknowledgment, after which the source goes back
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16

_TCP = Struct("!HHIIBBHHH")
_IPV4 = Struct("!BBHHHBBH8s")
_VIRTIO = Struct("=BBHHHH")
_SYN_OPTIONS: Final = bytes((2, 4)) + _MSS.to_bytes(2, "big") + bytes((3, 3, _SHIFT, 0))


def serve(pipe: Connection, tun: str, address: str, offload: bool) -> None:
    """Serve until killed."""
    trio.run(_serve, pipe, tun, address, offload)


async def _serve(pipe: Connection, name: str, address: str, offload: bool) -> None:
    device = Tun(name, offload=offload)
    if device.offload != offload:
        raise RuntimeError("this kernel's TUN has no offload")
    interface.configure(name, [ipaddress.ip_interface(f"{address}/24")], mtu=1500)
    answer(pipe, None)
    fd = device._fd  # as near to the device as one gets
    peers: dict[bytes, _Peer] = {}
    while True:
        with trio.move_on_after(_STALLED if peers else inf) as wait:
            await trio.lowlevel.wait_readable(fd)
        for _ in range(_BATCH):
            try:
                packet = os.read(fd, 65_700)
            except BlockingIOError:
                break
            _arrives(peers, packet, offload, fd)
        for peer in list(peers.values()):
            if wait.cancelled_caught:
                peer.snd_nxt = peer.snd_una
            peer.put_out(fd)
            if peer.over:
                del peers[peer.key]


def _arrives(peers: dict[bytes, _Peer], packet: bytes, offload: bool, fd: int) -> None:
    start = 10 if offload else 0
    if packet[start] != 0x45 or packet[start + 9] != 6:
        return
    view = memoryview(packet)[start:]
    _, _, seq, ack, offset, flags, window, _, _ = _TCP.unpack_from(view, 20)
    if not offload and _sum(view[12:20], 6 + len(view) - 20, view[20:]):
        return
    key = packet[start + 12 : start + 24]
    peer = peers.get(key)
    if flags & _SYN:
        peer = peers[key] = _Peer(key, seq, _window_scale(view[40 : 20 + (offset >> 4) * 4]), offload)
        peer.send(fd, _SYN | _ACK, b"", _SYN_OPTIONS)
        peer.snd_una = peer.snd_nxt = 1
    elif peer is not None:
        peer.takes(seq, ack, flags, window, view[20 + (offset >> 4) * 4 :])


def _window_scale(options: memoryview) -> int:
    at = 0
    while at < len(options):
        if options[at] == 3:
            return options[at + 2]
        at += 1 if options[at] == 1 else max(2, options[at + 1])
    return 0


def _sum(addresses: bytes | memoryview, pseudo: int, *parts: bytes | memoryview) -> int:
    """The ones' complement sum; 0 for a packet whose checksum is right.  All but the last part are even."""
    total = int.from_bytes(addresses, "big") + pseudo
    for part in parts:
        value = int.from_bytes(part, "big")
        total += value << 8 if len(part) & 1 else value
    return total % 0xFFFF


class _Peer:
    """One connection.  Our sequence numbers begin at 0 and do not wrap here; the wire's do."""

    def __init__(self, key: bytes, seq: int, shift: int, offload: bool) -> None:
        self.key = key
        self.rcv_nxt = seq + 1 & 0xFFFFFFFF
        self.snd_una = self.snd_nxt = 0
        self.edge = 0
        self.shift = shift
        self.offload = offload
        self.source = int.from_bytes(key[10:12], "big") == SOURCE
        self.end = 1  # the number behind all our data, where the FIN stands
        self.owes_ack = self.closing = self.over = False
        self.addresses = key[4:8] + key[:4]
        self.ports = int.from_bytes(key[10:12], "big"), int.from_bytes(key[8:10], "big")
        self.block = bytes(_MSS * 44 if offload else _MSS)

    def takes(self, seq: int, ack: int, flags: int, window: int, payload: memoryview) -> None:
        """A segment has arrived."""
        if flags & _RST:
            self.over = True
            return
        acked = ack - self.snd_una & 0xFFFFFFFF
        if acked < 1 << 31:
            self.snd_una += acked
            self.edge = self.snd_una + (window << self.shift)
        length = len(payload)
        if length or flags & _FIN:
            self.owes_ack = True
            if seq == self.rcv_nxt:
                self.rcv_nxt = seq + length + (flags & _FIN) & 0xFFFFFFFF
                if self.source and length:
                    self.end += int(bytes(payload))
                    self.closing = True
                elif flags & _FIN:
                    self.closing = True
        self.over = self.closing and self.snd_una > self.end

    def put_out(self, fd: int) -> None:
        """Send what the peer's window lets out, and an acknowledgment if nothing else carried it."""
        block = self.block
        while self.snd_nxt < self.end and self.snd_nxt + len(block) <= self.edge:
            data = block if self.end - self.snd_nxt >= len(block) else block[: self.end - self.snd_nxt]
            self.send(fd, _ACK, data)
            self.snd_nxt += len(data)
        if self.closing and self.snd_nxt == self.end:
            self.send(fd, _ACK | _FIN, b"")
            self.snd_nxt += 1
        if self.owes_ack:
            self.send(fd, _ACK, b"")

    def send(self, fd: int, flags: int, data: bytes, options: bytes = b"") -> None:
        """One packet, or super-segment."""
        self.owes_ack = False
        length = 20 + len(options) + len(data)
        pseudo = 6 + length
        source, destination = self.ports
        offset = (20 + len(options)) * 4  # words, in the upper four bits
        fields = (source, destination, self.snd_nxt & 0xFFFFFFFF, self.rcv_nxt, offset, flags, _WINDOW)
        virtio = b""
        if self.offload:
            cut = (1, 40, _MSS) if len(data) > _MSS else (0, 0, 0)
            virtio = _VIRTIO.pack(1, *cut, 20, 16)
            checksum = _sum(self.addresses, pseudo)
        else:
            checksum = 0xFFFF - _sum(self.addresses, pseudo, _TCP.pack(*fields, 0, 0), options, data)
        header = _IPV4.pack(0x45, 0, 20 + length, 0, 0x4000, 64, 6, 0, self.addresses)
        ip_checksum = (0xFFFF - int.from_bytes(header, "big") % 0xFFFF).to_bytes(2, "big")
        tcp = _TCP.pack(*fields, checksum, 0)
        os.writev(fd, (virtio + header[:10] + ip_checksum + header[12:] + tcp + options, data))
