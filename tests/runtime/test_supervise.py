"""Each test runs a small program that runs a command, as ``usertcp try`` does."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.rootless]

PROGRAM = """
import signal, sys, trio
from usertcp.runtime.errors import CommandError
from usertcp.runtime.supervise import enter_private_network

async def main():
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pass_on, signals)
            status = await network.run(sys.argv[1:], {"USERTCP_GIVEN": "a=b\\n"})
            nursery.cancel_scope.cancel()
    return status

async def pass_on(signals):
    async for number in signals:
        if number == signal.SIGTERM:
            network.terminate()

ending = "done"
try:
    with enter_private_network() as network:
        status = trio.run(main)
except* CommandError as group:
    (error,) = group.exceptions
    status, ending = error.status, f"{error.status} {error}"
print(ending, file=sys.stderr)
sys.exit(status)
"""


def program(*command: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *command]


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(*command), input=stdin, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def unique() -> str:
    """Seconds to sleep that nobody else sleeps, to know a process by."""
    return f"9999.{uuid4().int}"


def processes(word: str) -> list[int]:
    """Who has `word` as its last argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().endswith(b"\0" + word.encode() + b"\0"):
                found.append(int(path.parent.name))
    return found


def wait_ended(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError), open(os.pidfd_open(pid), "rb") as process:
            assert select.select([process], [], [], 10)[0], f"{pid} is still there"


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_status(script: str, status: int) -> None:
    done = run("sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "done\n")


def test_variables_are_given_to_the_command() -> None:
    done = run("sh", "-c", 'printf "%s|%s" "$USERTCP_GIVEN" "$1"', "sh", "")
    assert (done.returncode, done.stdout) == (0, "a=b\n|")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("/nonexistent/command", "127 /nonexistent/command: command not found"),
        ("usertcp-no-such-command", "127 usertcp-no-such-command: command not found"),
        ("/etc/passwd/x", "127 /etc/passwd/x: command not found"),
        ("", "127 the command is empty"),
        ("/etc/passwd", "126 /etc/passwd: Permission denied"),
        ("/", "126 /: Permission denied"),
    ],
)
def test_what_cannot_be_run(command: str, complaint: str) -> None:
    assert run(command).stderr.strip() == complaint


def test_a_place_to_look_that_is_closed_to_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "file"
    closed.touch()
    monkeypatch.setenv("PATH", f"{closed}:/root:{os.environ['PATH']}")
    assert run("usertcp-no-such-command").stderr.startswith("127 ")
    (tmp_path / "not-executable").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/root:{os.environ['PATH']}")
    assert run("not-executable").stderr == "126 not-executable: Permission denied\n"


def test_standard_streams_are_the_commands_own() -> None:
    done = run("sh", "-c", "cat; echo err >&2", stdin="in\n")
    assert done.stdout == "in\n"
    assert done.stderr == "err\ndone\n"


def test_arguments_arrive_as_they_are() -> None:
    assert run("printf", "%s|", "a b", "", "$HOME", "é\n").stdout == "a b||$HOME|é\n|"


def test_the_command_finds_signals_as_from_a_shell() -> None:
    ignored = int(run("grep", "SigIgn", "/proc/self/status").stdout.split()[1], 16)
    # Python ignores these two, and a program that inherits that does not end with its pipe.
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_it_has_processes_and_interfaces_of_its_own() -> None:
    done = run("sh", "-c", "echo $$; tail -n +3 /proc/net/dev | cut -d: -f1")
    assert done.stdout.split() == ["2", "lo"]


def test_ids_stay_the_same() -> None:
    assert run("id", "-u").stdout == f"{os.getuid()}\n"


def test_what_the_command_leaves_running_is_killed(unique: str) -> None:
    done = run("sh", "-c", f"sleep {unique} & (sleep {unique} &) ; exit 5")
    assert done.returncode == 5
    assert processes(unique) == []


@pytest.fixture
def sleeping(unique: str) -> Iterator[subprocess.Popen[str]]:
    """A program whose command, its init and a grandchild sleep: the program's own process."""
    script = f"echo ready; sleep {unique} & exec sleep {unique}"
    with subprocess.Popen(program("sh", "-c", script), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in children for each in (int(child), *descendants(int(child)))]


def test_killing_the_program_kills_all(sleeping: subprocess.Popen[str], unique: str) -> None:
    family = descendants(sleeping.pid)
    assert len(family) >= 2
    sleeping.kill()
    sleeping.wait()
    wait_ended(family)
    assert processes(unique) == []


def test_termination_is_passed_on(sleeping: subprocess.Popen[str], unique: str) -> None:
    sleeping.terminate()
    assert sleeping.wait(10) == 128 + signal.SIGTERM
    assert processes(unique) == []


def test_ctrl_c_goes_to_the_command_and_the_program_outlives_it() -> None:
    script = 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.1; done'
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, program("sh", "-c", script))
    shown = b""
    while True:
        with suppress(OSError):  # EIO: the last one has closed the terminal
            shown += os.read(terminal, 1024)
            if shown.endswith(b"ready\r\n"):
                os.write(terminal, b"\x03")
            continue
        break
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert shown.replace(b"\r", b"").endswith(b"caught\ndone\n")
