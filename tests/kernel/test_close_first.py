"""``usertcp try --close-first``: the three ways to close, each made to happen with the real curl."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.clients import PATIENCE

#: Ours, the kernel's as it says itself, and after how many segments of the close.
CLOSINGS = {
    "server": (
        ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"],
        ["ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"],
    ),
    "client": (
        ["ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"],
        ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"],
    ),
    "both": (
        ["ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"],
        ["ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"],
    ),
}


def attempt(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "usertcp", "try", *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, check=False)


def states(events: str, kind: str, field: str) -> list[str]:
    """The states that events of ``kind`` tell of, each once."""
    told = [json.loads(line) for line in events.splitlines() if line.startswith('{"v"')]
    return list(dict.fromkeys(each[field] for each in told if each["event"] == kind))


@pytest.mark.parametrize(
    ("url", "offload"),
    [
        pytest.param("http://192.0.2.2/", "--offload", marks=pytest.mark.rootless),
        ("http://[fd00:9293::2]/", "--no-offload"),
        ("http://[fd00:9293::2]/bytes/1000000", "--offload"),
        ("http://192.0.2.2/bytes/1000000", "--no-offload"),
    ],
)
@pytest.mark.parametrize("who", CLOSINGS)
def test_it_happens(who: str, url: str, offload: str) -> None:
    curl = ["curl", "-sg", "--noproxy", "*", url, "-o", "/dev/null"]
    done = attempt("--close-first", who, "--json", offload, "--", *curl)
    assert done.returncode == 0, done.stderr
    ours, theirs = CLOSINGS[who]
    assert states(done.stdout, "transition", "next_state")[2:] == ours
    # Where its application is quicker than our question, the kernel has gone through CLOSE-WAIT already.
    seen = states(done.stdout, "peer", "state")[1:]
    assert seen in (theirs, [state for state in theirs if state != "CLOSE-WAIT"])
    assert ("held each FIN back" in done.stderr) == (who == "both")
    assert "alone" not in done.stderr


@pytest.mark.parametrize("who", CLOSINGS)
def test_an_upload_that_asks_first_is_heard_to_its_end(who: str, tmp_path: Path) -> None:
    """curl waits for "100 Continue" before it sends the body: that is not yet the answer."""
    body = tmp_path / "body"
    body.write_bytes(bytes(3_000_000))
    done = attempt("--close-first", who, "--json", "--", "curl", "-s", "-T", str(body), "http://192.0.2.2/upload")
    assert done.returncode == 0, done.stderr
    assert '"bytes": 3000000' in done.stdout
    assert states(done.stdout, "transition", "next_state")[2:] == CLOSINGS[who][0]
    assert "alone" not in done.stderr


@pytest.mark.parametrize("who", CLOSINGS)
def test_two_requests_are_two_connections_where_the_service_hangs_up(who: str) -> None:
    done = attempt("--close-first", who, "--json", "--", "curl", "-s", "http://192.0.2.2/", "http://192.0.2.2/")
    assert done.returncode == 0
    assert done.stdout.count("Hello from usertcp") == 2
    opened = done.stdout.count('"event":"opened"')
    assert opened == (1 if who == "client" else 2)


def test_a_client_that_waits_for_our_fin_cannot_close_at_once() -> None:
    done = attempt("--close-first", "both", "--", "bash", "-c", "cat </dev/tcp/192.0.2.2/13")
    assert done.returncode == 0
    assert "-UTC" in done.stdout
    assert "1 FIN(s) went on alone: the other end did not close within 1 s" in done.stderr
    assert "Closed first  usertcp" in done.stderr


def test_a_service_waits_for_a_client_that_waits_for_it_only_so_long() -> None:
    done = attempt("--close-first", "client", "--", "bash", "-c", "cat </dev/tcp/192.0.2.2/13")
    assert done.returncode == 0
    assert "-UTC" in done.stdout
    assert "Closed first  usertcp" in done.stderr
