"""``--pcap``: every packet, with what the stack makes of it, into a file while the stack runs."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final

import trio

from usertcp import Stack, __version__
from usertcp.cli.common import StackOptions, say
from usertcp.cli.ending import Failure
from usertcp.cli.pumping import beside
from usertcp.observe.annotation import Annotated, Annotator
from usertcp.observe.capture_file import CHUNK, STDOUT, CaptureFile
from usertcp.observe.escape import for_terminal
from usertcp.observe.packet_log import PacketLog
from usertcp.observe.pcapng import Direction, Packet, Source, packet_block, preamble
from usertcp.runtime.bell import Bell

#: What comes within so many seconds is written together; no reader has to wait longer.
_PAUSE: Final = 0.02
#: Entries that are made into blocks before the stack gets its turn: more than it makes in one.
_SLICE: Final = 2048


@contextmanager
def capture_file(path: str | None, *, ring: int | None = None, stdout: str = "") -> Iterator[CaptureFile | None]:
    """The file that ``--pcap`` asks for; None without it.

    To be opened before anything else, so that what is wrong with it is said before anything happens.  ``stdout``
    says what standard output is taken for, if it is.

    :raises Failure: it cannot be written.
    """
    if path is None:
        yield None
        return
    if path == STDOUT and (stdout or os.isatty(1)):
        raise Failure(f"--pcap {STDOUT}: standard output is {stdout or 'a terminal'}; name a file")
    try:
        file = CaptureFile(path, ring=ring)
    except OSError as error:
        raise Failure(f"the capture {for_terminal(path)} cannot be written: {error.strerror or error}") from error
    try:
        yield file
    finally:
        try:
            file.close()
        except OSError as error:
            _say_it_ends(path, error)


def _say_it_ends(path: str, error: OSError) -> None:
    say(f"usertcp: the capture {for_terminal(path)} ends here: {error.strerror or error}")


@asynccontextmanager
async def capturing(
    file: CaptureFile | None, options: StackOptions, *, threads: bool = True
) -> AsyncIterator[Capture | None]:
    """What fills ``file`` while the block runs; None where there is no file.

    The stack must be opened inside the block, so that its last packets are captured too.  ``threads`` is False where
    the process may have none.
    """
    if file is None:
        yield None
        return
    capture = Capture(file, options)
    try:
        async with beside(partial(capture.run, threads)):
            yield capture
    finally:
        capture.end()


class Capture:
    """What goes on between a stack and a file.  Made by :func:`capturing`."""

    def __init__(self, file: CaptureFile, options: StackOptions) -> None:
        self._file = file
        self._options = options
        self._bell = Bell()
        #: Watches the stack's device, and any bad path before it.
        self.log = PacketLog(wake=self._bell.ring)
        self._annotator: Annotator | None = None
        self._failed = False
        # The stack's clock counts from nowhere: once and for all, this is what it shows now.
        self._epoch = time.time_ns()
        self._began = trio.current_time()

    def attach(self, stack: Stack) -> None:
        """Whose packets these are, and whose events."""
        self.log.host = stack.host
        stack.attach(self.log)
        self._annotator = Annotator(offload=stack.device.offload)
        self._file.begin(preamble(_source(self._options, stack)))
        self._bell.ring()

    async def run(self, threads: bool) -> None:
        """Write, until it is cancelled.

        Blocks are made here, between the stack's turns: in a thread that would only take Python's lock from the
        stack.  Writing them does wait in a thread, where there may be one.
        """
        while True:
            await self._bell.wait()
            while self._annotator is not None and len(self.log):
                self._make(self._annotator.feed(self.log.take(_SLICE)))
                if self._file.waiting >= CHUNK:
                    await self._write(threads)
                else:
                    await trio.lowlevel.checkpoint()
            await self._write(threads)
            await trio.sleep(_PAUSE)

    def end(self) -> None:
        """Write what is left, and say what is missing."""
        if self._annotator is not None:
            self._make(self._annotator.feed(self.log.take(len(self.log))))
            self._make(self._annotator.end())
        if self.log.lost:
            path = for_terminal(str(self._options.pcap))
            say(f"usertcp: {self.log.lost:,} packets came too fast for the capture {path}")

    def _make(self, packets: Iterable[Annotated]) -> None:
        if self._failed:
            return
        try:
            for packet in packets:
                self._file.write(packet_block(self._stamped(packet)))
        except OSError as error:
            self._fail(error)

    async def _write(self, threads: bool) -> None:
        try:
            if threads:
                await trio.to_thread.run_sync(self._file.flush)
            else:
                self._file.flush()
                await trio.lowlevel.checkpoint()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """The capture has ended, the stack goes on."""
        self._failed = True
        self.log.stop()
        _say_it_ends(str(self._options.pcap), error)

    def _stamped(self, packet: Annotated) -> Packet:
        nanoseconds = self._epoch + round((packet.time - self._began) * 1e9)
        direction = Direction.INBOUND if packet.inbound else Direction.OUTBOUND
        return Packet(packet.packet, nanoseconds, direction, packet.comments, packet.missing)


def _source(options: StackOptions, stack: Stack) -> Source:
    system = os.uname()
    notes = []
    if stack.device.offload:
        notes.append("super-segments of up to 64 KB: TSO; checksums filled in by the writer")
    if options.impair is not None:
        notes.append("this is the stack's side of --impair; what was lost before the stack is here too, and says so")
    return Source(
        interface=options.tun,
        description=f"TUN of usertcp at {', '.join(options.addresses)}; outbound is what usertcp sends",
        comment="; ".join(notes),
        application=f"usertcp {__version__}",
        hardware=system.machine,
        os=f"{system.sysname} {system.release}",
    )
