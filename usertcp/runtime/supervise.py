"""Run a command in a private network beside the stack, and leave nothing behind, whatever happens.

Two processes::

    usertcp       in the new user and network namespaces: runs trio and the stack, owns the TUN
      └─ init     the first process of the new process-id namespace
           └─ COMMAND and all that it starts

When usertcp ends in any way, SIGKILL included, the kernel kills init (parent-death signal), and with
init everything in its process-id namespace; then nobody is left in the network namespace, and it goes,
with the TUN.  All three share the terminal's process group, so Ctrl-C reaches the command as usual.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final

import trio

from usertcp.runtime import namespace
from usertcp.runtime.errors import CommandError
from usertcp.runtime.interface import bring_up_loopback

# What init answers: the status to exit with, and the errno of an exec that failed or 0.
_ANSWER: Final = struct.Struct("=iI")
_LENGTH: Final = struct.Struct("=I")
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
_SIGNALLED: Final = 128


def enter_private_network() -> PrivateNetwork:
    """Move this process into a network of its own, with ``lo`` up and an init for the command.

    To be called while the process has one thread, before :func:`trio.run`.  Use the result in a
    ``with`` statement: at its end everything in the process-id namespace is killed.

    :raises SetupError: namespaces are forbidden here.
    """
    namespace.enter(processes=True)
    bring_up_loopback()
    ours, theirs = socket.socketpair()
    # A SIGTERM that comes before there is a command to pass it to must wait, not vanish: the kernel
    # gives process 1 no signal that it has no handler for.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pid = os.fork()
    if pid == 0:
        # Whatever happens in here must not return into the caller's program a second time.
        try:
            ours.close()
            _init(theirs, mask)
        finally:
            os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return PrivateNetwork(pid, ours)


class PrivateNetwork:
    """The namespaces that this process now lives in, and the init that holds the command."""

    def __init__(self, init: int, connection: socket.socket) -> None:
        self._init = init
        self._connection = connection

    def __enter__(self) -> PrivateNetwork:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Run `command` with our standard streams and return its status: 128 + n for signal n.

        Its environment is ours, with `environment` on top.  To be called once.  What the command left running
        goes on until :meth:`close`.  Cancelling leaves the command running too.

        :raises CommandError: not found, or not executable.
        """
        if not any(command[:1]):
            raise CommandError("the command is empty", _NOT_FOUND)
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        request = b"\0".join(os.fsencode(item) for item in (*variables, "", *command))
        with trio.socket.from_stdlib_socket(self._connection) as connection:
            stream = trio.SocketStream(connection)
            await stream.send_all(_LENGTH.pack(len(request)) + request)
            answer = b""
            while chunk := await stream.receive_some(_ANSWER.size - len(answer) or 1):
                answer += chunk
                if len(answer) == _ANSWER.size:
                    break
        if len(answer) < _ANSWER.size:
            return _SIGNALLED + signal.SIGKILL  # init itself was killed, and the command with it
        status, error = _ANSWER.unpack(answer)
        if error:
            why = "command not found" if status == _NOT_FOUND else os.strerror(error)
            raise CommandError(f"{command[0]}: {why}", status)
        return int(status)

    def terminate(self) -> None:
        """Send SIGTERM to the command: now, or as soon as it has started."""
        if self._init:
            os.kill(self._init, signal.SIGTERM)

    def close(self) -> None:
        """Kill the command and all that it started.  May be repeated."""
        if self._init:
            pid, self._init = self._init, 0
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._connection.close()


def _init(connection: socket.socket, mask: set[int]) -> None:
    """Process 1 of the namespace: start the command, tell how it ended, bury orphans until killed.

    Ctrl-C passes it by.  `mask` are the signals blocked for the command; SIGTERM is for us.
    """
    # First of all, so that from here on no moment is left in which our parent can die unnoticed:
    # before, the connection is closed and there is no command to start.
    namespace.die_with_parent()
    _restore_signals()
    command = _receive_command(connection)
    if not command:
        return
    namespace.mount_own_views()
    pid, error = _start(command, mask)
    signal.signal(signal.SIGTERM, lambda number, _: _pass_on(number, pid))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while True:
        try:
            ended, status = os.waitpid(-1, 0)
        except ChildProcessError:
            connection.recv(1)  # nothing to do any more; returns when our parent is gone
            return
        if ended == pid:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its number may become another's
            connection.sendall(_ANSWER.pack(_shell_status(status), error))


def _pass_on(number: int, pid: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _receive_command(connection: socket.socket) -> list[bytes]:
    """The command that :meth:`PrivateNetwork.run` sends; empty when our parent has gone instead.

    The variables that come with it are set.
    """
    with connection.makefile("rb") as stream:
        length = stream.read(_LENGTH.size)
        if len(length) < _LENGTH.size:
            return []
        items = stream.read(*_LENGTH.unpack(length)).split(b"\0")
    end = items.index(b"")
    for variable in items[:end]:
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    return items[end + 1 :]


def _start(command: list[bytes], mask: set[int]) -> tuple[int, int]:
    """Fork and execute `command`; return its process id, and the errno of an exec that failed or 0."""
    reader, writer = os.pipe()  # the writing end closes by itself when exec succeeds
    pid = os.fork()
    if pid == 0:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(writer, struct.pack("=I", error.errno or errno.ENOEXEC))
            os._exit(_NOT_FOUND if _is_missing(command[0], error) else _NOT_EXECUTABLE)
        finally:
            os._exit(_NOT_EXECUTABLE)
    os.close(writer)
    with open(reader, "rb") as failure:
        report = failure.read()
    return pid, struct.unpack("=I", report)[0] if report else 0


def _is_missing(program: bytes, error: OSError) -> bool:
    """Whether exec failed for want of the program, and not of permission to execute it.

    A directory of PATH that we may not enter is no reason to say "permission denied".
    """
    if isinstance(error, PermissionError) and b"/" not in program:
        return not any(os.path.exists(os.path.join(os.fsencode(place), program)) for place in os.get_exec_path())
    return isinstance(error, FileNotFoundError | NotADirectoryError)


def _restore_signals() -> None:
    """Undo what Python did to signals, so that the command finds them as a shell's child would."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)


def _shell_status(wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else _SIGNALLED - code
