"""``usertcp drill``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from usertcp.cli import main

PASSES = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
FAILS = PASSES + "+0 close(3) = -1 EBADF (Bad file descriptor)\n"
UNSUPPORTED = PASSES + "+0 frobnicate(3) = 0\n"
SERVER = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["drill", *map(str, arguments)], prog_name="usertcp")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    for name, text in (("passes", PASSES), ("fails", FAILS), ("unsupported", UNSUPPORTED)):
        (tmp_path / f"{name}.pkt").write_text(text)
    return tmp_path


def test_statuses(scripts: Path) -> None:
    assert run(scripts / "passes.pkt").exit_code == 0
    assert run(scripts / "passes.pkt", scripts / "fails.pkt").exit_code == 1
    assert run(scripts / "passes.pkt", scripts / "unsupported.pkt").exit_code == 3
    assert run(scripts).exit_code == 1


def test_what_passed_is_only_counted(scripts: Path) -> None:
    lines = run(scripts).stdout.splitlines()
    assert lines[0] == (f"failed: {scripts}/fails.pkt:2: close() is not as expected: result: expected -1 EBADF, got 0")
    assert f"unsupported: {scripts}/unsupported.pkt:2: the system call frobnicate()" in lines
    assert lines[-1] == "3 scripts (profile usertcp): 1 passed, 1 failed, 1 unsupported"
    assert not any(line.startswith("passed: ") for line in lines)
    assert f"passed: {scripts}/passes.pkt" in run("-v", scripts).stdout
    assert f"passed: {scripts}/passes.pkt" in run(scripts / "passes.pkt").stdout


def test_json(scripts: Path) -> None:
    result = run("--json", "--ignore", "window", scripts)
    assert result.exit_code == 1
    data = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["script"].rpartition("/")[2], each["result"], each["line"]) for each in data] == [
        ("fails.pkt", "failed", 2),
        ("passes.pkt", "passed", None),
        ("unsupported.pkt", "unsupported", 2),
    ]
    assert all(each["ignored"] == ["window"] for each in data)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["/nonexistent.pkt"], "/nonexistent.pkt: there is no such file"),
        (["--profile", "plan9", "."], "plan9"),
        (["--ignore", "everything", "."], "option-order, option-padding"),
        (["--mtu=wide", "."], "--mtu=wide: not a number"),
        (["-D", "NAME", "."], "NAME=VALUE, please"),
        (["--nonsense", "."], "o such option"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_directory_without_scripts(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "there is no .pkt file in it" in result.stderr


def test_what_is_relaxed_is_said(scripts: Path) -> None:
    output = run("--ignore", "timing,window", scripts / "passes.pkt").stdout
    assert "relaxed: timing: " in output
    assert "relaxed: window: " in output


def test_packetdrills_options_and_defines(tmp_path: Path) -> None:
    script = tmp_path / "x.pkt"
    script.write_text(SERVER.replace("<mss 1460>\n+.1", "<mss SIZE>\n+.1"))
    assert run(script, "--mtu=1400", "-D", "SIZE=1360").exit_code == 0
    assert run(script, "--mtu", "1400", "--define=SIZE=1460").exit_code == 1
    assert run(script, "--ip_version=ipv6", "-D", "SIZE=1460").exit_code == 0
    assert run(script, "--strict_segments", "--verbose", "-D", "SIZE=1460").exit_code == 0


def test_the_end_may_be_strict(tmp_path: Path) -> None:
    script = tmp_path / "x.pkt"
    script.write_text("\n".join(SERVER.splitlines()[:4]))
    loose = run(script)
    assert loose.exit_code == 0
    assert "not looked at: 1 packet after the last expectation" in loose.stdout
    assert run(script, "--strict-end").exit_code == 1


def test_a_ladder(tmp_path: Path) -> None:
    script = tmp_path / "x.pkt"
    script.write_text(SERVER)
    result = run(script, "--ladder")
    assert result.exit_code == 0
    assert "SYN-RECEIVED" in result.stderr
    assert "passed: " in result.stdout


def test_a_capture(tmp_path: Path) -> None:
    script, capture = tmp_path / "x.pkt", tmp_path / "x.pcapng"
    script.write_text(SERVER)
    assert run(script, "--pcap", capture).exit_code == 0
    data = capture.read_bytes()
    assert data.startswith(bytes.fromhex("0a0d0d0a"))
    assert b"< S 0:0(0) win 65535" in data
    assert run(script, "--pcap", tmp_path / "no" / "x.pcapng").exit_code == 1


def test_escape_sequences_of_a_script_do_not_reach_the_terminal(tmp_path: Path) -> None:
    script = tmp_path / "x\x1b[31m.pkt"
    script.write_text(
        '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 setsockopt(3, SOL_SOCKET, "\x1b]0;", [1], 4) = 0 // \x1b[2J\n'
    )
    result = run(script)
    assert result.exit_code in (1, 3)
    assert "\x1b" not in result.output
