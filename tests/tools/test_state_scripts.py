"""The scripts of every state, segment and place are those that tools/make_state_scripts writes."""

from __future__ import annotations

from pathlib import Path

from state_scripts import PLACES, SEGMENTS, STATES, scripts

FOLDER = Path(__file__).resolve().parents[1] / "packetdrill/states"


def test_they_are_current() -> None:
    wanted = dict(scripts())
    assert len(wanted) == len(STATES) * len(SEGMENTS) * len(PLACES) == 495
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.pkt")} == set(wanted)
    stale = [name for name, text in wanted.items() if (FOLDER / name).read_text() != text]
    assert stale == []
