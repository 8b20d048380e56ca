"""What can be wrong with ``--pcap`` before anything happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from usertcp.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="usertcp")


@pytest.mark.parametrize("verb", [["listen", "80"], ["connect", "192.0.2.1", "80"], ["try"]], ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--pcap-ring", "100M"], "--pcap-ring bounds the file of --pcap FILE: give that, too"),
        (["--pcap", "x", "--pcap-ring", "lots"], "'lots' is not a size such as 100M"),
        (["--pcap", "x", "--pcap-ring", "9" * 400], "is not a size such as 100M"),
        (["--pcap", "x", "--pcap-ring", "²M"], "is not a size such as 100M"),
        (["--pcap", "x", "--pcap-ring", ""], "is not a size such as 100M"),
        (["--pcap", "x", "--pcap-ring", "1000k"], "1000k is too small: give 1M or more"),
        (["--pcap", "/"], "is a directory"),
    ],
)
def test_bad_usage(verb: list[str], options: list[str], words: str) -> None:
    command = ["--", "true"] if verb == ["try"] else []
    result = run(*verb, *options, *command)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", [["listen", "80"], ["connect", "192.0.2.1", "80"], ["try"]], ids=lambda verb: verb[0])
def test_a_file_that_cannot_be_written(verb: list[str], tmp_path: Path) -> None:
    """Nothing else is begun."""
    path = tmp_path / "no\x1b[31m" / "capture"
    command = ["--", "touch", str(tmp_path / "ran")] if verb == ["try"] else []
    result = run(*verb, "--pcap", str(path), *command)
    assert result.exit_code == 1
    shown = str(path).replace("\x1b", "\\x1b")
    assert result.stderr == f"usertcp: the capture {shown} cannot be written: No such file or directory\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["try", "--pcap", "-", "--", "true"], "standard output is the command's; name a file"),
        (["connect", "--pcap", "-", "192.0.2.1", "80"], "standard output is for what the peer sends; name a file"),
        (["listen", "--pcap", "-", "--trace", "80"], "standard output is taken by --trace or --json; name a file"),
        (["drill", "--pcap", "-", "tests/packetdrill/linux"], "standard output is for the results; name a file"),
    ],
)
def test_standard_output_that_is_taken(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"usertcp: --pcap -: {words}\n"


def test_a_ring_needs_a_file_of_its_own() -> None:
    result = run("listen", "--pcap", "/dev/null", "--pcap-ring", "1M", "80")
    assert result.exit_code == 1
    assert result.stderr == "usertcp: the capture /dev/null cannot be written: a ring needs a file of its own\n"
