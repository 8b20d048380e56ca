"""``usertcp try`` as its users meet it: it makes its own network, with real commands in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

USERTCP = [sys.executable, "-m", "usertcp"]


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*USERTCP, "try", *arguments], input=stdin, capture_output=True, text=True)


def test_curl_and_its_ladder() -> None:
    done = run("--", "curl", "-s", "http://192.0.2.2/")
    assert done.returncode == 0
    assert done.stdout.startswith("Hello from usertcp: ")
    for state in ("SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"):
        assert state in done.stderr


def test_json_takes_the_place_of_the_ladder() -> None:
    done = run("--json", "--", "curl", "-s", "-o", "/dev/null", "http://[fd00:9293::2]/", "-g")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1  # where its control socket is
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert "ESTABLISHED" in [event.get("next_state") for event in events]


def test_trace_shows_the_ladder_once() -> None:
    done = run("--trace", "--", "curl", "-s", "http://192.0.2.2/")
    assert done.returncode == 0
    assert done.stderr.count("SYN-RECEIVED ◆") == 1


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_the_status_is_the_command_s(script: str, status: int) -> None:
    assert run("--", "sh", "-c", script).returncode == status


@pytest.mark.parametrize(("command", "status"), [("there-is-no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_run(command: str, status: int) -> None:
    done = run("--", command)
    assert done.returncode == status
    assert f"usertcp: {command}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_standard_streams_are_the_command_s() -> None:
    done = run("--", "sh", "-c", "cat; echo err >&2", stdin="through\n")
    assert done.stdout == "through\n"
    assert done.stderr.splitlines()[1] == "err"


def test_options_of_the_command_are_its_own() -> None:
    assert run("sh", "-c", "exit 3", "--json").returncode == 3


def test_other_services() -> None:
    script = "import socket; s = socket.create_connection(('192.0.2.2', 4000)); print(s.makefile().read())"
    done = run("--serve", "4000:daytime", "--", sys.executable, "-c", script)
    assert "-UTC" in done.stdout


def test_our_own_time_wait_is_not_sat_out() -> None:
    """The server closes first; 2 MSL would be a minute, the test's own limit is less than that."""
    command = ["curl", "-s", "-H", "Connection: close", "http://192.0.2.2/"]
    done = subprocess.run([*USERTCP, "try", "--", *command], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 143)])
def test_a_signal_ends_the_command(number: int, status: int) -> None:
    """SIGINT too, where no terminal has sent it to the command as well."""
    with subprocess.Popen(
        [*USERTCP, "try", "--", "sh", "-c", "echo ready; exec sleep 1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()  # in a session of its own nobody else would
    assert process.returncode == status
    assert "Traceback" not in err
