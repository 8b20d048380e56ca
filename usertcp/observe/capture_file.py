"""The file of a capture: whole blocks only, for its owner only, and no larger than it may be."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Final

from usertcp.runtime import sudo

#: The name that stands for standard output.
STDOUT: Final = "-"
#: Where a ring keeps what was written before: the file's name and this.
BEFORE: Final = ".1"
#: A file of a ring must hold a few super-segments.
LEAST_RING: Final = 1 << 20
#: Bytes that wait before they are worth a system call.
CHUNK: Final = 256 << 10

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


class CaptureFile:
    """Grows by the blocks that :meth:`write` gets, at each :meth:`flush`.

    With ``ring`` (bytes, at least :data:`LEAST_RING`) two files take turns, which together are never larger: when
    ``path`` has half of it, it becomes ``path``.1, in place of the one before, and a new ``path`` begins.
    Each begins with ``preamble`` (set by :meth:`begin`), and can be read by itself.

    A new file is readable for its owner only, who is the person behind sudo if there is one; a file that is there is
    overwritten and keeps its owner.  Root follows no symbolic link.  ``-`` is standard output.

    Raises OSError, from all its methods; what is in the file then are whole blocks, and nothing more can be written.
    """

    def __init__(self, path: str, *, ring: int | None = None) -> None:
        self._path = path if path == STDOUT else os.path.abspath(path)
        self._half = None if ring is None else max(ring, LEAST_RING) // 2
        self._preamble = b""
        self._waiting: list[bytes] = []
        self._size = self._written = 0
        self._fd = os.dup(1) if path == STDOUT else _open(self._path)
        self._is_regular = stat.S_ISREG(os.fstat(self._fd).st_mode) and path != STDOUT
        try:
            self._empty()
        except OSError:
            self._give_up()
            raise

    def _empty(self) -> None:
        if self._half is not None and not self._is_regular:
            raise OSError(errno.EINVAL, "a ring needs a file of its own")
        if self._is_regular:
            os.ftruncate(self._fd, 0)
        if self._half is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._path + BEFORE)

    @property
    def waiting(self) -> int:
        """Bytes that are not in the file yet."""
        return self._size - self._written

    def begin(self, preamble: bytes) -> None:
        """What stands at the beginning of each file."""
        self._preamble = preamble
        self._add(preamble)

    def write(self, block: bytes) -> None:
        """One more block."""
        if self._half is not None and self._size + len(block) > self._half:
            self._turn()
        self._add(block)

    def _add(self, block: bytes) -> None:
        self._waiting.append(block)
        self._size += len(block)

    def flush(self) -> None:
        """Into the file with what waits."""
        if self._fd < 0:
            return
        data = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._give_up()
            raise
        self._written = self._size

    def close(self) -> None:
        """Flush and close it.  May be repeated."""
        try:
            self.flush()
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """Leave whole blocks behind."""
        if self._fd < 0:
            return
        if self._is_regular:
            with suppress(OSError):
                os.ftruncate(self._fd, self._written)
        fd, self._fd = self._fd, -1
        with suppress(OSError):
            os.close(fd)

    def _turn(self) -> None:
        """The file is full: begin the next one."""
        self.flush()
        os.close(self._fd)
        self._fd = -1
        os.rename(self._path, self._path + BEFORE)
        self._fd = _open(self._path, new=True)
        self._size = self._written = 0
        self._add(self._preamble)


def _open(path: str, *, new: bool = False) -> int:
    """``path`` to be written; ``new``: it must not be there."""
    try:
        fd = os.open(path, _NEW | os.O_EXCL, 0o600)
    except FileExistsError:
        if new:
            raise
        return _open_existing(path)
    sudo.give(fd)
    return fd


def _open_existing(path: str) -> int:
    if os.geteuid() != 0:
        return os.open(path, _NEW & ~os.O_CREAT)
    try:
        return os.open(path, _NEW & ~os.O_CREAT | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, "it is a symbolic link, which root does not follow; name the file itself") from None
