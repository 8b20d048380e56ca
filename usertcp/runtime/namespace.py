"""A network of this process's own: nothing in it reaches the host, and no root is needed to make it.

A user namespace gives its maker all capabilities over the network namespace made along with it, and
over nothing else.  Root needs no user namespace, and does without where it can.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
from pathlib import Path
from typing import Final

from usertcp.runtime.errors import SetupError, as_root

# <linux/sched.h>, <sys/mount.h>
CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000
# <linux/capability.h>, <linux/prctl.h>
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_CAP_NET_ADMIN: Final = 12
_CAP_NET_RAW: Final = 13
_PR_SET_PDEATHSIG: Final = 1
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2

_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18

_SYSCTL: Final = Path("/proc/sys")
_libc: Final = ctypes.CDLL(None, use_errno=True)


def enter(*, processes: bool = False) -> None:
    """Move the calling process into a new network namespace, and a user namespace if it is needed.

    Only the caller's own uid and gid exist inside, so files keep their owners.  The process has all
    capabilities there; programs that it executes may still configure the network and use raw sockets.

    :param processes: also make a process-id namespace for the children from now on.  The first one is
        its init: when that ends, the kernel kills all others.
    :raises SetupError: the kernel or its administrator forbids it; also when threads are running.
    """
    flags = CLONE_NEWNET | (CLONE_NEWPID if processes else 0)
    if os.geteuid() != 0 or not _may_unshare(flags):
        try:
            _enter_as_user(flags)
        except OSError as error:
            raise _explain(error) from error


def mount_own_views() -> None:
    """Give the caller a /proc and a /sys that show its own processes and interfaces, where allowed.

    Containers forbid it, and then the outer ones stay: they show the wrong ids, which hurts few programs.
    """
    with contextlib.suppress(OSError):
        unshare(CLONE_NEWNS)
        mount("none", "/", None, _MS_REC | _MS_PRIVATE)
        for kind, target in (("proc", "/proc"), ("sysfs", "/sys")):
            with contextlib.suppress(OSError):
                mount(kind, target, kind)


def unshare(flags: int) -> None:
    """unshare(2), which Python has only from 3.12 on.  Raises OSError."""
    _check(_libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None, flags: int = 0) -> None:
    """mount(2).  Raises OSError."""
    type_name = kind.encode() if kind is not None else None
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), type_name, ctypes.c_ulong(flags), None))


def die_with_parent() -> None:
    """Have the kernel kill this process, by SIGKILL, as soon as the thread that forked it is gone."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _may_unshare(flags: int) -> bool:
    """Unshare as root without a user namespace; False for a root without capabilities (containers)."""
    try:
        unshare(flags)
    except PermissionError:
        return False
    except OSError as error:
        raise _explain(error) from error
    return True


def _enter_as_user(flags: int) -> None:
    """Unshare with a user namespace that makes it possible.  Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(flags | CLONE_NEWUSER)
    _map_ids(uid, gid)
    _let_programs_inherit(_CAP_NET_ADMIN, _CAP_NET_RAW)


def _map_ids(uid: int, gid: int) -> None:
    # Without giving up setgroups(2) an unprivileged process may not write gid_map (user_namespaces(7)).
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _let_programs_inherit(*capabilities: int) -> None:
    """Make capabilities ambient: kept when a program is executed, which else only uid 0 has.

    So ``ping``, ``tc`` or ``tcpdump`` work in the private network as they do for root outside.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable: capabilities 0..31, then the same three for 32..63
    sets = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, sets))
    for capability in capabilities:
        sets[2] |= 1 << capability
    _check(_libc.capset(header, sets))
    for capability in capabilities:
        raise_ = ctypes.c_ulong(_PR_CAP_AMBIENT_RAISE)
        _check(_libc.prctl(_PR_CAP_AMBIENT, raise_, ctypes.c_ulong(capability), 0, 0))


def _explain(error: OSError) -> SetupError:
    """Say why the kernel refused a namespace, and what works instead."""
    instead = as_root()
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return SetupError(
            "no more user or network namespaces are allowed here "
            f"(sysctl user.max_user_namespaces, user.max_net_namespaces): {instead}"
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return SetupError(f"user namespaces are forbidden here{_who_forbids()}: {instead}")
    return SetupError(f"cannot make a network namespace ({error.strerror}): {instead}")


def _who_forbids() -> str:
    """Name the switch that forbids user namespaces, if it is one of the known ones."""
    for switch, forbidding in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
        ("kernel.unprivileged_userns_clone", "0"),
    ):
        try:
            value = _SYSCTL.joinpath(*switch.split(".")).read_text().strip()
        except OSError:
            continue
        if value == forbidding:
            return f" (sysctl {switch}={value})"
    return ""
