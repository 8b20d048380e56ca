"""A network of this process's own: nothing in it reaches the host, and no root is needed to make it.

A user namespace gives its maker all capabilities over the network namespace made along with it, and
over nothing else.  Root needs no user namespace, and does without where it can.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from pathlib import Path
from typing import Final

from usertcp.runtime.errors import SetupError, as_root

# <linux/sched.h>, <sys/mount.h>
CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18

_libc: Final = ctypes.CDLL(None, use_errno=True)


def enter(*, processes: bool = False) -> None:
    """Move the calling process into a new network namespace, and a user namespace if it is needed.

    Only the caller's own uid and gid exist inside, so files keep their owners.  The process has all
    capabilities there until it executes another program.

    :param processes: also make a process-id namespace for the children from now on.  The first one is
        its init: when that ends, the kernel kills all others.
    :raises SetupError: the kernel or its administrator forbids it; also when threads are running.
    """
    flags = CLONE_NEWNET | (CLONE_NEWPID if processes else 0)
    if os.geteuid() != 0 or not _may_unshare(flags):
        uid, gid = os.geteuid(), os.getegid()
        try:
            unshare(flags | CLONE_NEWUSER)
            _map_ids(uid, gid)
        except OSError as error:
            raise _explain(error) from error
    _allow_ping()


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
    pr_set_pdeathsig, sigkill = 1, 9
    _check(_libc.prctl(pr_set_pdeathsig, ctypes.c_ulong(sigkill), 0, 0, 0))


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


def _map_ids(uid: int, gid: int) -> None:
    # Without giving up setgroups(2) an unprivileged process may not write gid_map (user_namespaces(7)).
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _allow_ping() -> None:
    """Let ping work where it has lost its setuid bit: by ICMP sockets, allowed to our own group."""
    gid = os.getegid()
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv4/ping_group_range").write_text(f"{gid} {gid}")


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
            value = Path("/proc/sys", *switch.split(".")).read_text().strip()
        except OSError:
            continue
        if value == forbidding:
            return f" (sysctl {switch}={value})"
    return ""
