"""Nothing gets out of a run but its outcome."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from usertcp.drill import runner
from usertcp.drill.outcome import Result
from usertcp.drill.run import Run
from usertcp.drill.runner import How, run_file, run_text
from usertcp.drill.virtual import VirtualTarget
from usertcp.observe.recorder import Recorder

TEXT = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n"


def test_a_mistake_of_ours_fails_the_script_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: VirtualTarget, name: str, arguments: object) -> NoReturn:
        raise ZeroDivisionError("divided\x1b by zero")

    monkeypatch.setattr(VirtualTarget, "start", wrong)
    outcome = run_text(TEXT, "x", How())
    assert outcome.result is Result.FAILED
    assert outcome.reason.startswith("internal error: ZeroDivisionError at test_runner.py:")
    assert outcome.reason.endswith("divided\\x1b by zero")
    assert outcome.line == 1
    assert "Traceback" in outcome.detail
    assert "\x1b" not in outcome.detail


def test_a_mistake_before_the_first_event_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object) -> NoReturn:
        raise RecursionError

    monkeypatch.setattr(runner, "parse", wrong)
    assert "internal error: RecursionError" in run_text(TEXT, "x", How()).reason


def test_a_run_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def forever(self: Run) -> NoReturn:
        while True:
            pass

    monkeypatch.setattr(Run, "run", forever)
    outcome = run_text(TEXT, "x", How(patience=0.01))
    assert outcome.result is Result.FAILED
    assert "TookTooLong" in outcome.reason


def test_patience_ends_while_virtual_time_goes_on() -> None:
    text = TEXT.replace("+0 close", "+1 close")
    outcome = run_text(text, "x", How(patience=-1.0))
    assert outcome.result is Result.FAILED
    assert "took too long" in outcome.reason


def test_files(tmp_path: Path) -> None:
    assert "the file cannot be read: No such file" in run_file(str(tmp_path / "none.pkt"), How()).reason
    assert "the file cannot be read" in run_file(str(tmp_path), How()).reason
    assert "the file cannot be read" in run_file("\0", How()).reason
    odd = tmp_path / "odd.pkt"
    odd.write_bytes(b"// \xff\xfe\n" + TEXT.encode())
    assert run_file(str(odd), How()).result is Result.PASSED
    odd.write_bytes(b"\0\xff\x1b[31m")
    outcome = run_file(str(odd), How())
    assert outcome.result is Result.FAILED
    assert outcome.reason.isprintable()


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MOST_BYTES", 10)
    path = tmp_path / "x.pkt"
    path.write_text(TEXT)
    assert run_file(str(path), How()).result is Result.UNSUPPORTED


def test_the_stack_tells_what_it_does() -> None:
    recorder = Recorder()
    text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED (no)\n"
    outcome = run_text(text + "+0 > S 0:0(0) <...>\n+.1 < R. 0:0(0) ack 1 win 0\n", "x", How(), recorder)
    assert outcome.result is Result.PASSED, outcome.reason
    assert len(recorder) > 2


def test_every_run_is_the_same() -> None:
    text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n"
    text += "+0 connect(3, ..., ...) = -1 EINPROGRESS (now)\n+0 > S 0:0(0) <...>\n"
    first, second = (run_text(text, "x", How()).crossings for _ in range(2))
    assert first == second
    assert len(first) == 1


@pytest.mark.parametrize("name", ["linux", "freebsd", "usertcp"])
def test_shell_lines_change_the_system_while_it_runs(name: str) -> None:
    variable = "net.inet.tcp.sack.enable" if name == "freebsd" else "net.ipv4.tcp_sack"
    text = (
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
        "+0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n"
        f"+0 `sysctl -w {variable}=0`\n"
        "+0 connect(3, ..., ...) = -1 EINPROGRESS (now)\n"
        "+0 > S 0:0(0) <mss 1460,nop,wscale 8,sackOK,nop,nop>\n"
    )
    outcome = run_text(text, "x", How(name))
    assert outcome.result is Result.FAILED
    assert "sackOK" not in outcome.detail.splitlines()[2]
    unchanged = run_text(text.replace("=0`", "=1`"), "x", How(name))
    assert "sackOK" in unchanged.detail.splitlines()[2]
