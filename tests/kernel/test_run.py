"""``usertcp run``: programs as they are written for trio, with a real kernel at the other end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.kernel.clients import PATIENCE

ECHO_SERVER = """
    import sys, trio

    async def echo(stream):
        async for data in stream:
            await stream.send_all(data)

    async def main():
        await trio.serve_tcp(echo, int(sys.argv[1]))

    trio.run(main)
"""

ASK = """bash -c 'exec 3<>/dev/tcp/192.0.2.2/7000 && echo hello >&3 && head -n 1 <&3'"""


def run(
    tmp_path: Path, program: str, *arguments: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "program.py"
    script.write_text(dedent(program))
    command = [sys.executable, "-m", "usertcp", "run", "--try", *options, str(script), *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, check=False)


@pytest.mark.rootless
def test_a_server_is_reached_from_the_kernel_and_ends_with_the_command_beside(tmp_path: Path) -> None:
    done = run(tmp_path, ECHO_SERVER, "7000", options=("--trace", "--beside", f"{ASK}; exit 3"))
    assert (done.stdout, done.returncode) == ("hello\n", 3), done.stderr
    assert "usertcp: the program is at 192.0.2.2 and fd00:9293::2, TUN usertcp0\n" in done.stderr
    assert "rcv SYN · RFC 9293" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.rootless
def test_a_client_reaches_the_kernel_by_a_name(tmp_path: Path) -> None:
    client = """
        import socket, threading, trio

        kernel = socket.socket()

        def serve():
            connection, peer = kernel.accept()
            connection.sendall(("you are " + peer[0]).encode())
            connection.close()

        async def main():
            kernel.bind(("192.0.2.1", 8000))  # the TUN is there now
            kernel.listen()
            threading.Thread(target=serve).start()
            async with await trio.open_tcp_stream("server.example", 8000) as stream:
                print(b"".join([data async for data in stream]).decode())

        trio.run(main)
    """
    done = run(tmp_path, client, options=("--host", "server.example=192.0.2.1"))
    assert (done.stdout, done.returncode) == ("you are 192.0.2.2\n", 0), done.stderr


def test_the_program_is_run_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("WORD = 'found'")
    told = """
        import sys, beside_it, trio
        assert __name__ == "__main__"
        print(sys.argv[1:], beside_it.WORD, trio.run(trio.sleep, 0))
        sys.exit("bye")
    """
    done = run(tmp_path, told, "-x", "1")
    assert (done.stdout, done.returncode) == ("['-x', '1'] found None\n", 1)
    assert done.stderr.endswith("bye\n")


def test_an_error_of_the_program_is_its_own(tmp_path: Path) -> None:
    broken = """
        import trio

        async def main():
            raise OSError("mine")

        try:
            trio.run(main)
        except OSError as error:
            print("caught", error)
        trio.run(main)
    """
    done = run(tmp_path, broken)
    assert (done.stdout, done.returncode) == ("caught mine\n", 1)
    assert "Traceback" in done.stderr
    assert "runpy" not in done.stderr
    assert done.stderr.endswith("OSError: mine\n")


def test_a_program_may_call_it_in_any_thread_and_in_one_at_a_time(tmp_path: Path) -> None:
    threads = """
        import threading, time, trio

        async def main():
            print(type(trio.socket.socket()).__module__)
            await trio.sleep(0.3)

        first = threading.Thread(target=trio.run, args=(main,))
        first.start()
        time.sleep(0.1)
        try:
            trio.run(main)
        except Exception as error:
            print(error)
        first.join()
    """
    done = run(tmp_path, threads)
    assert done.stdout.splitlines() == [
        "usertcp.runtime.sockets.trio_socket",
        "trio.run in two threads at once: usertcp run has one stack, for one at a time",
    ], done.stderr


def test_a_program_that_does_not_wait_for_the_command_beside_it(tmp_path: Path) -> None:
    done = run(tmp_path, "import trio; trio.run(trio.sleep, 0)", options=("--beside", "echo beside"))
    assert (done.stdout, done.returncode) == ("", 0)
    assert done.stderr.endswith("the program ended before it listened: the command beside it was not run\n")


def test_what_goes_past_trio_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "import asyncio; asyncio.run(asyncio.sleep(0))")
    assert "the program has not called trio.run" in done.stderr
    assert done.returncode == 0


def test_a_program_that_cannot_be_read_is_shown_and_not_who_read_it(tmp_path: Path) -> None:
    done = run(tmp_path, "def x(:")
    assert "SyntaxError" in done.stderr
    assert "runpy" not in done.stderr


def test_ctrl_c_is_an_end_like_any_other(tmp_path: Path) -> None:
    forever = """
        import os, signal, trio

        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)

        trio.run(main)
    """
    done = run(tmp_path, forever)
    assert done.returncode == 128 + signal.SIGINT
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.py"], "'nowhere.py' does not exist"),
        (["--host", "nonsense", __file__], "'nonsense' is not NAME=ADDRESS"),
        (["--host", "name=name", __file__], "'name=name' is not NAME=ADDRESS, as server.example=192.0.2.1"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "usertcp", "run", "--try", *arguments]
    done = subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, words in done.stderr, done.stderr.count("\n")) == (2, True, 1)
