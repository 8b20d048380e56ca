"""Why a script cannot be run, with the line that says so."""

from __future__ import annotations


class _AtLine(Exception):
    """``line`` counts from 1 (0: the script as a whole); ``reason`` is one line, and may quote the script raw."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class ScriptError(_AtLine):
    """The text is no script: the line where the grammar broke, and what was expected there."""


class Unsupported(_AtLine):
    """The script is well-formed but wants something that this interpreter does not do.  Never a pass."""
