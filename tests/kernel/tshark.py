"""What tshark reads in a capture."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

#: Checksums are verified, which tshark does not do by itself; and it does not put streams together, in which it would
#: call it malformed that bytes which it knows are sent again with other borders.
_PREFERENCES = ("tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "tcp.desegment_tcp_streams:FALSE")
_BETWEEN_COMMENTS = "~"


def found() -> str:
    """The program; the test is skipped where there is none, which is a failure in CI."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is missing: apt-get install tshark")
    return program


def tshark(path: Path, *fields: str, only: str = "") -> list[list[str]]:
    """The ``fields`` of each packet that passes the display filter ``only``."""
    columns = [argument for field in fields for argument in ("-e", field)]
    command = [found(), "-n", "-r", str(path), "-Y", only, "-T", "fields", *columns]
    command += ["-E", f"aggregator={_BETWEEN_COMMENTS}"]
    command += [argument for preference in _PREFERENCES for argument in ("-o", preference)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "damaged" not in done.stderr, done.stderr
    assert "cut short" not in done.stderr, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def frames(path: Path, only: str) -> list[int]:
    """The numbers of the packets that pass the display filter ``only``."""
    return [int(number) for (number,) in tshark(path, "frame.number", only=only)]


def comments(path: Path, only: str = "tcp") -> dict[int, list[str]]:
    """Those of each packet, by its number."""
    rows = tshark(path, "frame.number", "frame.comment", only=only)
    return {int(number): texts.split(_BETWEEN_COMMENTS) if texts else [] for number, texts in rows}


def nothing_is_broken(path: Path, *, but: str = "") -> None:
    """No packet is malformed, and all checksums are right; ``but`` packets that pass this display filter."""
    sound = f"!({but})" if but else "frame"
    assert frames(path, f"_ws.malformed && {sound}") == []
    assert frames(path, f'_ws.expert.severity == "Error" && {sound}') == []
    rows = tshark(path, "ip.checksum.status", "tcp.checksum.status", only=f"tcp && {sound}")
    assert set(map(tuple, rows)) <= {("1", "1"), ("", "1")}  # IPv6 has none of its own
