"""Memory that a batch of packets frees stays with the process, for the next batch."""

from __future__ import annotations

from typing import Final

#: More than a batch and what applications make of it hold at a time, in bytes; twice as much may stay.
_ENOUGH: Final = 8 << 20


def keep_what_is_freed() -> None:
    """Let the C library keep some MiB of freed memory.

    glibc gives the kernel back what is free at the top of its heap beyond twice the size of the largest block that it
    ever mapped for itself and freed (mallopt(3), M_MMAP_THRESHOLD).  That begins small, and a batch is up to 4 MiB:
    each would be paid for again in page faults, a quarter of the CPU of 16 uploads together.  So here is such a block;
    nobody touches it, so it costs nothing.  Other C libraries take no notice.
    """
    bytes(_ENOUGH)
