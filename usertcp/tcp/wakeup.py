"""Bits of ``Connection.pending``: what an application that waits should look at again."""

from __future__ import annotations

from typing import Final

READABLE: Final = 1  # data, the end of the stream, or urgent data
WRITABLE: Final = 2  # room in the send buffer
OPENED: Final = 4  # the connection is established
ENDED: Final = 8  # the connection block is gone, perhaps with an error
REPORTED: Final = 16  # a soft error: nothing ends for it
