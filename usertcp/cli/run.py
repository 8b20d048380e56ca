"""``usertcp run``: somebody's trio program, unmodified, with its sockets on a stack of ours."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Lock
from types import TracebackType
from typing import Any, Final

import click
import trio

import usertcp
from usertcp import Stack
from usertcp.cli.capturing import capture_file
from usertcp.cli.common import StackOptions, say, stack_options
from usertcp.cli.ending import FAILURE, Failure
from usertcp.cli.running import leaves
from usertcp.cli.watched import watched_stack
from usertcp.observe.capture_file import CaptureFile
from usertcp.observe.escape import for_terminal
from usertcp.runtime import namespace
from usertcp.runtime.device import DeviceGone
from usertcp.runtime.errors import SetupError
from usertcp.runtime.interface import bring_up_loopback

#: How long the command beside a program that does not listen waits for it, in seconds, and how often it looks.
_PATIENCE: Final = 0.5
_LOOK: Final = 0.01


class _Host(click.ParamType[tuple[str, str]]):
    """NAME=ADDRESS."""

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, found, address = str(value).partition("=")
        try:
            ip_address(address)
        except ValueError:
            address = ""
        if not (found and name and address):
            self.fail(f"{value!r} is not NAME=ADDRESS, as server.example=192.0.2.1", param, ctx)
        return name, address


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--try", "private", is_flag=True, help="In a private network, without root.")
@click.option(
    "--beside",
    metavar="COMMAND",
    help="Run COMMAND (by the shell) in the same network once SCRIPT listens; its end ends SCRIPT, with its status.",
)
@click.option(
    "--host", "hosts", type=_Host(), metavar="NAME=ADDRESS", multiple=True, help="A name for SCRIPT.  Repeatable."
)
@stack_options
def run(
    script: str,
    arguments: tuple[str, ...],
    private: bool,
    beside: str | None,
    hosts: tuple[tuple[str, str], ...],
    options: StackOptions,
) -> int:
    """Run the trio program SCRIPT: its TCP sockets are those of our stack, on a TUN.

    Whatever it does by trio (trio.open_tcp_stream, trio.serve_tcp, trio.socket, libraries on trio or on anyio with
    trio) needs no change; what goes past trio, as the socket module or asyncio do, has the kernel's sockets.  The
    ladder (--trace) or the events (--json) go to stderr.
    """
    with capture_file(options.pcap, ring=options.pcap_ring, stdout="the program's") as file:
        if private:
            _enter_private_network()
        program = _Program(options, file, beside, dict(hosts))
        with program.in_place_of_trio_run():
            status = _run_script(script, arguments)
    if program.has_run and beside is not None and not program.began_beside:
        say("usertcp: the program ended before it listened: the command beside it was not run")
    if not (program.has_run or status):
        say("usertcp: the program has not called trio.run, and no stack was made: its sockets were the kernel's")
    return status if program.status is None else program.status


def _enter_private_network() -> None:
    try:
        namespace.enter()
        bring_up_loopback()
    except SetupError as error:
        raise Failure(str(error)) from error


class _Program:
    """Makes of each ``trio.run`` one that has a stack."""

    def __init__(
        self, options: StackOptions, file: CaptureFile | None, beside: str | None, hosts: dict[str, str]
    ) -> None:
        self._options = options
        self._file = file
        self._beside = beside
        self._hosts = hosts
        self._one_at_a_time = Lock()
        #: Whether the program has called ``trio.run``.
        self.has_run = False
        #: Whether the command beside the program was begun.
        self.began_beside = False
        #: The exit status of the command beside the program, if that has ended.
        self.status: int | None = None

    @contextmanager
    def in_place_of_trio_run(self) -> Iterator[None]:
        """While the block runs, ``trio.run`` opens a stack, and gives its function the sockets of that."""
        trios = trio.run

        context = click.get_current_context()  # of this thread; the program may call trio.run in another

        def run(async_fn: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
            if not self._one_at_a_time.acquire(blocking=False):
                raise SetupError("trio.run in two threads at once: usertcp run has one stack, for one at a time")
            self.has_run = True
            with context.scope(cleanup=False):
                try:
                    return trios(self._main, async_fn, args, **options)
                finally:
                    self._one_at_a_time.release()

        trio.run = run  # type: ignore[assignment]  # its type says more of its arguments
        try:
            yield
        finally:
            trio.run = trios

    @trio.lowlevel.enable_ki_protection
    async def _main(self, async_fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> Any:
        """``async_fn``, and what it returns or raises is as if nobody stood around it."""
        result: Any = None
        raised: BaseException | None = None
        async with (
            watched_stack(self._options, self._file, sys.stderr) as stack,
            trio.open_nursery() as nursery,
        ):
            say(f"usertcp: the program is at {' and '.join(stack.addresses)}, TUN {self._options.tun}")
            try:
                with trio.CancelScope() as scope:
                    if self._beside is not None:
                        nursery.start_soon(self._run_beside, self._beside, stack, scope)
                    with usertcp.trio_sockets(stack, hosts=self._hosts):
                        result = await trio.lowlevel.disable_ki_protection(async_fn)(*args)
            except trio.Cancelled:
                raise
            except BaseException as error:
                raised = error  # told outside, where no nursery of ours makes a group of it
            nursery.cancel_scope.cancel()
        if raised is not None:
            raise raised
        return result

    async def _run_beside(self, command: str, stack: Stack, scope: trio.CancelScope) -> None:
        with trio.move_on_after(_PATIENCE):
            while not stack.host.listeners:  # noqa: ASYNC110 (the host tells nobody that a program listens)
                await trio.sleep(_LOOK)
        self.began_beside = True
        ended = await trio.run_process(["/bin/sh", "-c", command], check=False)
        self.status = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
        scope.cancel()


def _run_script(script: str, arguments: tuple[str, ...]) -> int:
    """Run ``script`` as ``python SCRIPT ARGS`` does; its exit status, or 1 after its traceback."""
    sys.argv = [script, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return _status(end)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        happened = list(leaves(error))
        if all(isinstance(each, KeyboardInterrupt) for each in happened):
            raise KeyboardInterrupt from error  # Ctrl-C and nothing else: trio's nurseries make groups of it
        for each in happened:
            if isinstance(each, (SetupError, DeviceGone)):  # the stack's, and not the program's
                raise Failure(str(each)) from error
        traceback.print_exception(type(error), error, _from(script, error.__traceback__))
        return FAILURE
    return 0


def _status(end: SystemExit) -> int:
    """As the interpreter takes it: None is 0, text goes to stderr and is 1."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    say(for_terminal(str(end.code)))
    return FAILURE


def _from(script: str, trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the program's own first frame on: who called it is not its affair; None: none ran."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename != script:
        inner = inner.tb_next
    return inner
