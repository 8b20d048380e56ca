"""A host of ours whose packets are logged, and a peer that is another host, without I/O."""

from __future__ import annotations

from usertcp.observe.annotation import Annotated, Annotator
from usertcp.observe.packet_log import PacketLog
from usertcp.stack.host import Host
from usertcp.stack.listener import Listener
from usertcp.tcp.connection import Connection

OURS = {4: bytes([192, 0, 2, 2]), 6: bytes.fromhex("fd009293" + "0" * 23 + "2")}
PEER = {4: bytes([192, 0, 2, 1]), 6: bytes.fromhex("fd009293" + "0" * 23 + "1")}


class Observed:
    """``ours`` listens on port 80; packets go to and fro by :meth:`turn`, as the driver of a stack does it."""

    def __init__(self, *, offload: bool = False, log: PacketLog | None = None) -> None:
        self.now = 1000.0
        self.log = PacketLog() if log is None else log
        self.ours = Host(tuple(OURS.values()), secret=bytes(32), offload=offload, trace=self.log)
        self.peer = Host(tuple(PEER.values()), secret=bytes([7]) * 32, offload=offload)
        self.log.host = self.ours
        #: Packets, both ways.
        self.passed = 0
        self.listener: Listener = self.ours.listen(80)
        self._annotator = Annotator(offload=offload)

    def from_peer(self) -> list[bytes]:
        """What the peer sends now."""
        self.peer.flush(self.now)
        packets = [b"".join(buffers) for buffers in self.peer.outbox]
        self.peer.outbox.clear()
        return packets

    def take_in(self, *packets: bytes) -> None:
        """One batch arrives; our host puts out what it may, and nothing is sent yet."""
        for packet in packets:
            self.passed += 1
            self.log.arrived(self.now, packet)
            self.ours.packet_arrives(packet, self.now)
            self.log.settled()
        self.ours.flush(self.now)

    def send(self, *, lost: bool = False) -> None:
        """Send what waits; the peer gets it."""
        self.ours.flush(self.now)
        while self.ours.outbox:
            buffers = self.ours.outbox.popleft()
            self.passed += 1
            self.log.left(self.now, buffers)
            if not lost:
                self.peer.packet_arrives(b"".join(buffers), self.now)

    def turn(self) -> None:
        """To and fro until nobody has anything to say."""
        self.send()
        while packets := self.from_peer():
            self.take_in(*packets)
            self.send()

    def wait(self, seconds: float) -> None:
        """Let time pass for our host."""
        self.now += seconds
        self.ours.run_timers(self.now)
        self.ours.flush(self.now)

    def connected(self, family: int = 4) -> tuple[Connection, Connection]:
        """A connection that the peer has opened: our end of it, and the peer's."""
        theirs = self.peer.connect(OURS[family], 80, self.now)
        self.turn()
        ours = self.listener.accept()
        assert ours is not None
        return ours, theirs

    def told(self) -> list[Annotated]:
        """The packets since this was last asked."""
        packets = list(self._annotator.feed(self.log.take(len(self.log))))
        return packets + list(self._annotator.end())
