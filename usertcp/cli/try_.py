"""``usertcp try``: run a command against us in a private network, then show what happened."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import click
import trio

from usertcp import Stack
from usertcp.cli.capturing import capture_file, capturing
from usertcp.cli.closing import ClosingFirst
from usertcp.cli.common import StackOptions, open_stack, say, stack_options
from usertcp.cli.ending import Failure, silence_output
from usertcp.cli.listen import BindingType, check_ports, serve_all
from usertcp.cli.pumping import watch
from usertcp.cli.running import SIGNALS, run
from usertcp.cli.watching import LadderView
from usertcp.control import places
from usertcp.observe.capture_file import CaptureFile
from usertcp.observe.jsonl import to_line
from usertcp.observe.ladder import ladders
from usertcp.observe.printer import Printer
from usertcp.observe.recorder import Recorder
from usertcp.runtime.errors import SetupError
from usertcp.runtime.supervise import PrivateNetwork, enter_private_network
from usertcp.services.closing import WHO
from usertcp.services.registry import SERVICES, Binding

#: How long connections may take to end after the command, in seconds.
_PATIENCE: Final = 2.0


@click.command(name="try", context_settings={"allow_interspersed_args": False})
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--serve",
    "bindings",
    metavar="PORT[:SERVICE]",
    type=BindingType(),
    multiple=True,
    help=f"What to serve; repeatable.  By default {' '.join(str(each.port) for each in SERVICES.values())}.",
)
@click.option(
    "--close-first",
    type=click.Choice(WHO),
    help="Who closes a connection first: our service, after its first answer, the client, or both at once, on a path "
    "that holds each FIN back until the other has left.  By default it is up to the service and the client.",
)
@stack_options
def try_(
    command: tuple[str, ...], bindings: tuple[Binding, ...], close_first: str | None, options: StackOptions
) -> int:
    """Run COMMAND in a private network in which our stack serves, and exit with its status.

    No root is needed.  Afterwards the ladder of every connection goes to stderr (--json: all events to
    stdout in its place; --trace: the ladder to stderr while it happens).
    """
    bindings = bindings or tuple(Binding(each.port, each) for each in SERVICES.values())
    check_ports(bindings)
    with capture_file(options.pcap, ring=options.pcap_ring, stdout="the command's") as file:
        try:
            network = enter_private_network()
        except SetupError as error:
            raise Failure(str(error)) from error
        with network:
            return _Attempt(network, command, bindings, options, file, close_first).run()


class _Attempt:
    """One command in its network."""

    def __init__(
        self,
        network: PrivateNetwork,
        command: tuple[str, ...],
        bindings: tuple[Binding, ...],
        options: StackOptions,
        file: CaptureFile | None,
        close_first: str | None,
    ) -> None:
        self._network = network
        self._file = file
        self._command = command
        self._bindings = bindings
        self._options = options
        self._closing = ClosingFirst(close_first)
        self._live = options.trace and not options.json
        self._recorder = Recorder()

    def run(self) -> int:
        """The command's status; the ladder has been shown."""
        try:
            return run(self._run)
        finally:
            if not self._live:
                self._try_to_show()

    async def _run(self) -> int:
        view = LadderView(sys.stderr, self._options.telling) if self._live else None
        async with (
            # Having left its process-id namespace to its children, a process can start no thread.
            watch(view, threads=False) as sink,
            capturing(self._file, self._options, threads=False) as capture,
            open_stack(
                self._options,
                sink or self._recorder,
                grace=0,
                capture=capture,
                wrap=self._closing.wrap,
                kept=None if sink else self._recorder.flat_events,
                threads=False,
            ) as stack,
            trio.open_nursery() as nursery,
        ):
            await serve_all(nursery, stack, self._bindings, self._closing.adapt)
            status = await self._run_command(stack)
            with trio.move_on_after(_PATIENCE):
                await stack.wait_connections_ended()
            nursery.cancel_scope.cancel()
        return status

    async def _run_command(self, stack: Stack) -> int:
        here = {} if stack.control_path is None else {places.VARIABLE: str(stack.control_path)}
        with trio.open_signal_receiver(*SIGNALS) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pass_on, signals)
                status = await self._network.run(self._command, here)
                nursery.cancel_scope.cancel()
        return status

    async def _pass_on(self, signals: AsyncIterator[int]) -> None:
        """While the command runs, Ctrl-C is its own affair: the terminal has told it, too."""
        async for number in signals:
            if number == signal.SIGTERM or not _in_foreground():
                self._network.terminate()

    def _try_to_show(self) -> None:
        """A report that cannot be written does not change how the command ended."""
        try:
            self._show()
        except (OSError, AttributeError) as error:  # AttributeError: the stream was closed before we began
            with suppress(OSError, AttributeError):
                say(f"usertcp: the report could not be written: {getattr(error, 'strerror', None) or error}")
            silence_output()

    def _show(self) -> None:
        self._closing.report()
        if self._options.json:
            sys.stdout.writelines(f"{to_line(event)}\n" for event in self._recorder.events())
            sys.stdout.flush()
        else:
            printer = Printer(sys.stderr)
            events, telling = self._recorder.events(), self._options.telling
            printer.print(ladders(events, width=printer.width, telling=telling))
        if self._recorder.lost:
            say(f"usertcp: {self._recorder.lost:,} events, after the first ones, were too many to keep")


def _in_foreground() -> bool:
    """Whether Ctrl-C on our terminal reaches us, and with us the command."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
