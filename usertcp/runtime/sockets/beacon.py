"""A descriptor that shows whether a socket of the stack can be read, for who polls descriptors."""

from __future__ import annotations

import os
from contextlib import suppress


class Beacon:
    """An eventfd(2): poll(2), select(2) and epoll(7) find it readable exactly while it is lit.

    It can do nothing else: reading it gives no data.
    """

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lit = False

    def show(self, lit: bool) -> None:
        """Light it, or put it out."""
        if lit == self._lit:
            return
        self._lit = lit
        if lit:
            os.eventfd_write(self.fd, 1)
        else:
            with suppress(BlockingIOError):  # somebody has read it
                os.eventfd_read(self.fd)

    def close(self) -> None:
        """The descriptor is gone."""
        os.close(self.fd)
