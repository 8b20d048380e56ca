"""Nothing in the vocabulary of trace events is a word that nobody ever says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.observe.scenes import SCENES
from tests.scenarios.driver import PLAIN, established
from usertcp.control.filter import Everything
from usertcp.control.follower import Follower
from usertcp.observe.jsonl import read_file
from usertcp.observe.recorder import Recorder
from usertcp.tcp.events import TYPES, Joined, Lost, PeerSeen, TraceEvent, read

#: What the core does not say, but who keeps events, who follows them, and who asks the peer's kernel.
_OTHERS = {Lost, Joined, PeerSeen}


def test_each_kind_of_the_core_is_told_in_some_scene() -> None:
    told: set[type[TraceEvent]] = set()
    for scene in SCENES.values():
        told.update(map(type, scene()))
    assert told == set(TYPES) - _OTHERS


def test_who_has_no_room_says_so() -> None:
    us, _ = established(PLAIN)
    recorder = Recorder(4, beginning=2)
    for flat in us.events:
        recorder(flat)
    assert Lost in map(type, recorder.events())


def test_who_comes_late_is_told_what_was() -> None:
    us, peer = established(PLAIN)
    follower = Follower(us.host, Everything(), wake=lambda: None, limit=100)
    us.host.trace = follower
    us.sends(b"hello")
    first = read(follower.take(1)[0])
    assert isinstance(first, Joined)
    assert (first.conn, first.state, first.irs) == (us.tcb.number, us.state, peer.isn)


@pytest.mark.kernel
def test_the_peer_s_kernel_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    command = ["--events", str(path), "--", "curl", "-s", "-o", "/dev/null", "http://192.0.2.2/"]
    subprocess.run([sys.executable, "-m", "usertcp", "try", *command], check=True, capture_output=True)
    with path.open() as file:
        assert PeerSeen in map(type, read_file(file))
