"""Where control sockets are: their directories, their names, whose they are.

A directory counts only if it belongs to the one who looks (or to root) and nobody else may write into it.  So
every socket in it was made by a program that may be trusted with what it shows, and one that nobody answers
on was left behind by a program that was killed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from usertcp.runtime.sudo import Person, person_behind_sudo

SUFFIX: Final = ".sock"
#: Names the socket that is meant: set for the command of ``usertcp try``.
VARIABLE: Final = "USERTCP_SOCKET"
_RUNTIME: Final = "XDG_RUNTIME_DIR"
#: Makers of sockets in one directory take turns, so that none removes what another has just made.
_LOCK: Final = ".lock"
#: So many of one name: each private network has a TUN that is called the same.
_MOST_OF_A_NAME: Final = 1000
#: Connections that wait to be accepted.
_BACKLOG: Final = 16


class PlaceError(Exception):
    """There can be no socket here; says why in one line."""


class Directory(NamedTuple):
    """A directory for control sockets, and the mode that it is made with."""

    path: Path
    mode: int


_SYSTEM: Final = Directory(Path("/run/usertcp"), 0o755)


@dataclass
class Bound:
    """A listening socket and where it is; ``note`` says why it is not where it should be, if so."""

    listener: socket.socket
    path: Path
    note: str
    identity: tuple[int, int]

    def remove(self) -> None:
        """Take its name away, if it is still this socket's; who holds the socket closes it."""
        with suppress(OSError):
            if _identity(self.path) == self.identity:
                self.path.unlink()


def bind(tun: str) -> Bound:
    """A listening socket for the stack on ``tun``, open to its user only; under sudo, to who became root, too.

    :raises PlaceError: it cannot be made.
    """
    problems = [] if os.geteuid() == 0 or _runtime_directory() else [f"{_RUNTIME} is not set"]
    for directory in _choices():
        try:
            _make(directory)
            bound = _bind_in(directory.path, tun)
            bound.note = "; ".join(problems)
            return bound
        except PlaceError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{directory.path}: {error.strerror or error}")
    raise PlaceError("; ".join(problems))


def bind_at(path: Path) -> Bound:
    """A listening socket of just this path.

    :raises PlaceError: something else is there, or it cannot be made.
    """
    try:
        with suppress(FileNotFoundError):
            if path.lstat().st_uid == os.geteuid():
                _remove_if_left_behind(path)
        return _bind(path, None)
    except OSError as error:
        raise PlaceError(f"{path}: {error.strerror or error}") from error


def directories() -> list[Path]:
    """Where the sockets are that the calling user may trust; those directories that exist, and are safe."""
    found = []
    for directory in (_SYSTEM, *_own()):
        with suppress(PlaceError, OSError):
            _check(directory.path, trusted=frozenset({0, os.geteuid()}))
            found.append(directory.path)
    return found


def sockets() -> Iterator[Path]:
    """Each socket in these directories, also those that nobody answers on."""
    for directory in directories():
        for path in sorted(directory.glob(f"*{SUFFIX}")):
            if path.is_socket():
                yield path


# -- Directories ------------------------------------------------------------------------------------------


def _choices() -> list[Directory]:
    """Where to make a socket, in this order."""
    return [_SYSTEM, *_own()] if os.geteuid() == 0 else _own()


def _own() -> list[Directory]:
    """The calling user's directories."""
    runtime = _runtime_directory()
    temporary = Path(os.environ.get("TMPDIR") or "/tmp") / f"usertcp-{os.geteuid()}"
    return [Directory(each, 0o700) for each in ((runtime / "usertcp", temporary) if runtime else (temporary,))]


def _runtime_directory() -> Path | None:
    path = os.environ.get(_RUNTIME, "")
    return Path(path) if os.path.isabs(path) else None  # as its specification wants it


def _make(directory: Directory) -> None:
    with suppress(FileExistsError):
        directory.path.mkdir(mode=directory.mode)
        directory.path.chmod(directory.mode)  # whatever the umask is
    _check(directory.path, trusted=frozenset({os.geteuid()}))


def _check(path: Path, trusted: frozenset[int]) -> None:
    """:raises PlaceError: somebody else could put a socket there."""
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise PlaceError(f"{path} is no directory")
    if info.st_uid not in trusted:
        raise PlaceError(f"{path} belongs to another user")
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PlaceError(f"{path} can be written to by others: chmod 755 {path}")


# -- Sockets ----------------------------------------------------------------------------------------------


def _bind_in(directory: Path, tun: str) -> Bound:
    person = person_behind_sudo() if directory == _SYSTEM.path else None
    with _turn(directory):
        for number in range(1, _MOST_OF_A_NAME):
            path = directory / f"{tun if number == 1 else f'{tun}.{number}'}{SUFFIX}"
            _remove_if_left_behind(path)
            try:
                return _bind(path, person)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
    raise PlaceError(f"{directory} is full of sockets of the name {tun}")


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _bind(path: Path, person: Person | None) -> Bound:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # The file of a bound socket gets the mode that the socket has, so there is no moment in which it is wider.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(os.fspath(path))
        bound = Bound(listener, path, "", _identity(path))
        if person is not None:
            os.chown(path, person.uid, person.gid, follow_symlinks=False)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return bound


def _remove_if_left_behind(path: Path) -> None:
    """Remove a socket that nobody answers on; anything else stays."""
    if not path.is_socket() or path.is_symlink():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        if probe.connect_ex(os.fspath(path)) == errno.ECONNREFUSED:
            path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int]:
    info = path.lstat()
    return info.st_dev, info.st_ino
