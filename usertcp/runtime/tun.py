"""A Linux TUN as a :class:`~usertcp.runtime.device.PacketDevice`, with segmentation and checksum offload.

With offload (``IFF_VNET_HDR``) the kernel hands over and takes whole TCP super-segments of up to 64 KiB
and nobody computes the checksum of a payload.  Where a kernel refuses, a plain TUN is opened instead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Final

import pytun
import trio

from usertcp.runtime.device import DeviceGone
from usertcp.runtime.errors import SetupError, as_root
from usertcp.stack.segmentation import segment_packet
from usertcp.wire import virtio
from usertcp.wire.buffer import Buffer

NODE_VARIABLE: Final = "USERTCP_TUN_NODE"
DEFAULT_NODE: Final = "/dev/net/tun"

# <linux/if_tun.h>, none of which python-pytun wraps
_TUNSETOFFLOAD: Final = 0x400454D0
_TUNGETIFF: Final = 0x800454D2
_TUNSETVNETHDRSZ: Final = 0x400454D8
_TUN_F_CSUM: Final = 1
_TUN_F_TSO4: Final = 2
_TUN_F_TSO6: Final = 4
_TUN_F_TSO_ECN: Final = 8
_IFF_PERSIST: Final = 0x0800
_IFREQ_FLAGS: Final = struct.Struct("16sH22x")

_PLAIN: Final = pytun.IFF_TUN | pytun.IFF_NO_PI
_MAX_NAME: Final = 15
# The largest super-segment (65,535 bytes of IPv6 payload and its header), its virtio header, and some
# more, so that a packet too large shows as such and is not cut to a plausible length.
_READ_SIZE: Final = 65_536 + virtio.LENGTH + 128


def tun_node() -> str:
    """The path of the TUN device node: ``$USERTCP_TUN_NODE``, else ``/dev/net/tun``."""
    return os.environ.get(NODE_VARIABLE) or DEFAULT_NODE


class Tun:
    """One TUN interface, made if it does not exist and then removed by :meth:`close`.

    A persistent TUN that was handed over (``ip tuntap add``) is used, and stays.  The interface still
    needs addresses: see :mod:`usertcp.runtime.interface`.

    :param mtu: bytes; what the interface is going to be configured with.
    :param offload: False asks for a plain TUN; True gets one too where the kernel has nothing better,
        so read the attribute of the same name.
    :raises SetupError: no device node, no permission, name taken or impossible.
    """

    def __init__(self, name: str = "usertcp0", *, mtu: int = 1500, offload: bool = True) -> None:
        _check_name(name)
        self.mtu = mtu
        self._counters = dict.fromkeys(_COUNTERS, 0)
        self._interface_drops = (0, 0)
        self._split_in_software = False
        device, self.offload = _open(name, offload)
        # Dropping pytun's object would close the descriptor under us.
        self._device = device
        self._fd: int = device.fileno()
        self.name: str = device.name
        self.persistent = _is_persistent(self._fd)
        os.set_blocking(self._fd, False)
        os.set_inheritable(self._fd, False)

    async def wait_readable(self) -> None:
        try:
            await trio.lowlevel.wait_readable(self._open_fd())
        except trio.ClosedResourceError:
            raise self._gone() from None

    async def wait_writable(self) -> None:
        try:
            await trio.lowlevel.wait_writable(self._open_fd())
        except trio.ClosedResourceError:
            raise self._gone() from None

    def receive(self) -> bytes | None:
        try:
            packet = os.read(self._fd, _READ_SIZE)  # EBADF once it is closed
        except BlockingIOError:
            return None
        except OSError as error:
            self._check_gone(error)
            self._counters["read-errors"] += 1
            return None
        counters = self._counters
        counters["packets-received"] += 1
        counters["bytes-received"] += len(packet)
        return packet

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        if self._split_in_software and _is_super_segment(buffers):
            return self._send_split(buffers)
        try:
            written = os.writev(self._fd, buffers)
        except BlockingIOError:
            self._counters["write-would-block"] += 1
            return False
        except OSError as error:
            return self._sending_failed(error, buffers)
        counters = self._counters
        counters["packets-sent"] += 1
        counters["bytes-sent"] += written
        return True

    def close(self) -> None:
        if self._fd < 0:
            return
        self._interface_drops = _interface_drops(self.name)
        fd, self._fd = self._fd, -1
        if _inside_trio():
            trio.lowlevel.notify_closing(fd)
        self._device.close()

    def counters(self) -> dict[str, int]:
        """Packets and bytes (super-segments count once, virtio headers included), errors, losses.

        ``queue-drops`` are packets that the host sent and the interface's full queue lost before
        we read them, ``input-drops`` packets of ours that the host's side dropped.
        """
        if self._fd >= 0:
            self._interface_drops = _interface_drops(self.name)
        queue_drops, input_drops = self._interface_drops
        return self._counters | {"queue-drops": queue_drops, "input-drops": input_drops}

    def _sending_failed(self, error: OSError, buffers: tuple[Buffer, ...]) -> bool:
        self._check_gone(error)
        if error.errno == errno.EINVAL and self.offload and _is_super_segment(buffers):
            # Seen on 6.6 kernels.  What was refused once is refused again: from now on we segment.
            self._counters["offload-refused"] += 1
            self._split_in_software = True
            return self._send_split(buffers)
        # EIO is a link that is down.  To TCP each of these is a lost packet, which it knows how to mend.
        self._counters["send-drops"] += 1
        return True

    def _send_split(self, buffers: tuple[Buffer, ...]) -> bool:
        """Send a super-segment as packets of one segment each.

        When the device fills up in the middle, the rest is lost, as it would be in any full queue.
        """
        for index, packet in enumerate(segment_packet(b"".join(buffers))):
            if not self.send((packet,)):
                if index == 0:
                    return False
                self._counters["send-drops"] += 1
                return True
        return True

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise self._gone()
        return self._fd

    def _check_gone(self, error: OSError) -> None:
        # EBADFD is what is left of an interface that somebody else removed, EBADF of one that we have closed.
        if error.errno in (errno.EBADF, errno.EBADFD, errno.ENODEV):
            raise self._gone() from error

    def _gone(self) -> DeviceGone:
        how = "is closed" if self._fd < 0 else "was removed"
        return DeviceGone(f"the TUN {self.name} {how}")


_COUNTERS: Final = (
    "packets-received",
    "bytes-received",
    "read-errors",
    "packets-sent",
    "bytes-sent",
    "write-would-block",
    "send-drops",
    "offload-refused",
)


def _is_super_segment(buffers: tuple[Buffer, ...]) -> bool:
    """Whether gso_type, the second byte of the virtio header, asks for segmentation."""
    return buffers[0][1] != 0


def _check_name(name: str) -> None:
    if len(os.fsencode(name)) > _MAX_NAME:
        raise SetupError(f"the name {name!r} is too long: give --tun at most {_MAX_NAME} bytes")
    if not name or name in (".", "..") or any(c in "/:%" or c.isspace() or not c.isprintable() for c in name):
        raise SetupError(f"{name!r} cannot name an interface: give --tun a name such as usertcp0")


def _open(name: str, offload: bool) -> tuple[pytun.TunTapDevice, bool]:
    """Open the interface, with offload if it is wanted and the kernel has it."""
    if offload:
        try:
            device = _attach(name, _PLAIN | pytun.IFF_VNET_HDR)
        except _RefusedError:
            pass
        else:
            if _enable_offload(device.fileno()):
                return device, True
            device.close()
    device = _attach(name, _PLAIN)
    _disable_offload(device.fileno())
    return device, False


class _RefusedError(SetupError):
    """EINVAL: the flags, or the kind of interface that has this name already."""


def _attach(name: str, flags: int) -> pytun.TunTapDevice:
    node = tun_node()
    try:
        return pytun.TunTapDevice(name=name, flags=flags, dev=node)
    except OSError as error:
        raise _explain(error, name, node) from error


def _explain(error: OSError, name: str, node: str) -> SetupError:
    """Say which of the ways in which opening a TUN fails this is, and what to do about it."""
    with_sudo = as_root()
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return SetupError(
                f"there is no TUN device node {node}: load it with: sudo modprobe tun "
                "(in a container: start it with --device /dev/net/tun)"
            )
        case errno.EACCES:
            return SetupError(f"no permission to open {node}: {with_sudo}, or first: sudo chmod 0666 {node}")
        case errno.EPERM:
            return SetupError(
                f"no permission to make the TUN {name}: {with_sudo}, or, without root: "
                "usertcp try -- COMMAND, usertcp run --try SCRIPT"
            )
        case errno.EBUSY:
            return SetupError(
                f"the TUN {name} is in use by another process: give this one its own with {_another(name)}"
            )
        case errno.EINVAL:
            return _RefusedError(f"{name} is another kind of interface: choose another name with --tun NAME")
    return SetupError(f"cannot open the TUN {name} by {node}: {error.strerror or error}")


def _another(name: str) -> str:
    """Options for one more interface beside this one: the next name, and addresses meant for tests."""
    stem = name.rstrip("0123456789")
    number = int(name[len(stem) :] or 0) + 1
    # RFC 2544 §C.2.2: nobody's 198.18.0.0/15 has a /24 for each
    return f"--tun {stem[: _MAX_NAME - len(str(number))]}{number} --address 198.18.{number % 256}.2/24"


def _enable_offload(fd: int) -> bool:
    wanted = _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO6
    try:
        # A persistent interface remembers the header length of whoever had it before us.
        fcntl.ioctl(fd, _TUNSETVNETHDRSZ, struct.pack("i", virtio.LENGTH))
    except OSError:
        return False
    return _set_offload(fd, wanted | _TUN_F_TSO_ECN) or _set_offload(fd, wanted)


def _disable_offload(fd: int) -> None:
    """Undo what a former user of a persistent interface left: super-segments without a header."""
    _set_offload(fd, 0)


def _set_offload(fd: int, features: int) -> bool:
    try:
        fcntl.ioctl(fd, _TUNSETOFFLOAD, features)
    except OSError:
        return False
    return True


def _is_persistent(fd: int) -> bool:
    answer = fcntl.ioctl(fd, _TUNGETIFF, bytes(_IFREQ_FLAGS.size))
    flags: int = _IFREQ_FLAGS.unpack(answer)[1]
    return bool(flags & _IFF_PERSIST)


def _interface_drops(name: str) -> tuple[int, int]:
    """The interface's (dropped before we read them, dropped of what we sent), (0, 0) if unknown.

    Read from procfs, which shows the reader's own network namespace; sysfs shows that of whoever
    mounted it.
    """
    try:
        with open("/proc/thread-self/net/dev") as file:
            lines = file.readlines()[2:]
    except OSError:
        return 0, 0
    for line in lines:
        interface, _, fields = line.partition(":")
        if interface.strip() == name:
            values = fields.split()
            return int(values[11]), int(values[3])
    return 0, 0


def _inside_trio() -> bool:
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return False
    return True
