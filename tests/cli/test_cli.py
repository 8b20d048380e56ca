"""What is wrong with a command line is said in one line, with exit status 2."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

import usertcp
from usertcp.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="usertcp")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "there is no command nonsense; there are listen, try, connect, "),
        (["\x1b[31m"], "there is no command '\\x1b[31m'"),
        (["--nonsense"], "No such option"),
        (["listen"], "PORT"),
        (["listen", "0"], "port 0 is out of range; a port is a number from 1 to 65535"),
        (["listen", "80", "65536"], "port 65536 is out of range"),
        (["listen", "x"], "'x' is not a port"),
        (["listen", "80:gopher"], "there are http, echo, discard, daytime, chargen"),
        (["listen", "80", "80:echo"], "port 80 is given twice"),
        (["listen", "80", "--address", "192.0.2.2"], "has no prefix length: write it as 192.0.2.2/24"),
        (["listen", "80", "--address", "1.2.3/24"], "is not an address"),
        (["listen", "80", "--address", "224.0.0.1/24"], "cannot be a host's address"),
        (["listen", "80", "--address", "\x1b]0;/24"], "\\x1b]0;"),
        (["listen", "80", "--mtu", "0"], "576<=x<=65535"),
        (["listen", "80", "--mtu", "1000"], "IPv6 needs an MTU of at least 1280"),
        (["connect", "192.0.2.1"], "PORT"),
        (["connect", "192.0.2.1", "-1"], "o such option"),
        (["connect", "192.0.2.1", "99999"], "out of range"),
        (["try"], "COMMAND"),
        (["try", "--serve", "80", "--serve", "80", "--", "true"], "port 80 is given twice"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert result.stderr.rstrip("\n").isprintable()
    assert result.stderr.startswith("usertcp")
    assert "--help)" in result.stderr


@pytest.mark.parametrize("arguments", [["listen", "80"], ["connect", "192.0.2.1", "80"]])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tun", "a/b"], "cannot name an interface"),
        (["--tun", "x" * 16], "too long"),
        ([], "there is no TUN device node /nonexistent: load it with"),
    ],
)
def test_a_failure_is_one_line_and_status_1(
    arguments: list[str], options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERTCP_TUN_NODE", "/nonexistent")
    result = run(*arguments, *options)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"usertcp {usertcp.__version__}\n")


@pytest.mark.parametrize("verb", ["listen", "try", "connect", "states"])
def test_help(verb: str) -> None:
    assert f"\n  {verb} " in run("--help").stdout
    result = run(verb, "-h")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: usertcp {verb} ")


def test_no_arguments_show_the_help() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


def test_python_m_usertcp() -> None:
    done = subprocess.run([sys.executable, "-m", "usertcp", "--version"], capture_output=True, check=True)
    assert done.stdout.startswith(b"usertcp ")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """``usertcp states | head -1``."""
    command = [sys.executable, "-m", "usertcp", "states", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
