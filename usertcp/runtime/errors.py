"""What can go wrong before the first packet, in words for the person at the keyboard."""

from __future__ import annotations

import os
import shlex
import sys


class SetupError(Exception):
    """The network could not be set up.

    ``str(error)`` is one line: what happened, and what to do about it.
    """


class CommandError(Exception):
    """The command of ``usertcp try`` could not be run.

    :ivar status: what a shell would exit with: 127 not found, 126 found and not executable.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def as_root() -> str:
    """What to do about a lack of privileges: this very command line, for root to run.

    With its full path, since ``sudo usertcp`` does not find the one in a virtual environment (sudo's
    ``secure_path``).
    """
    if os.geteuid() == 0:
        return "give this container the capabilities NET_ADMIN and SYS_ADMIN"
    program, arguments = sys.argv[0], sys.argv[1:]
    if os.path.basename(program) == "usertcp":
        return f"use sudo {shlex.join([os.path.abspath(program), *arguments])}"
    if program.endswith("/usertcp/__main__.py"):
        return f"use sudo {shlex.join([sys.executable, '-m', 'usertcp', *arguments])}"
    return 'use sudo "$(command -v usertcp)" ...'
