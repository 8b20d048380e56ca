"""What can go wrong before the first packet, in words for the person at the keyboard."""

from __future__ import annotations


class SetupError(Exception):
    """The network could not be set up.

    ``str(error)`` is one line: what happened, and what to do about it.
    """
