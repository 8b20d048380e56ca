"""How a system call ends that does not return: an errno, sleep, or something that is not there."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any


def failure(number: int) -> OSError:
    """The OSError for an errno of :mod:`errno`; its text is the errno's name."""
    return OSError(number, errno.errorcode.get(number, str(number)))


class Asleep(Exception):
    """The system call sleeps.

    :meth:`resume` goes on with it, and is to be called again after each packet, each call of another thread, and
    each step of time, until it no longer raises this.  Nothing is lost by calling it too often.  Not an OSError:
    a program that is never resumed never learns how its call ended.
    """

    def __init__(self, resume: Callable[[], Any], deadline: float) -> None:
        super().__init__("the call sleeps")
        #: When the call wakes up by itself, in the machine's seconds; ``inf``: never.
        self.deadline = deadline
        self._resume = resume

    def resume(self) -> Any:
        """What the call returns.  Raises OSError, or Asleep again."""
        return self._resume()


class NotSupported(Exception):
    """Something that a kernel can do and this machine can not; ``what`` names it.

    It is never raised for what a kernel would refuse: that is an OSError.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
