"""What the engine asks of a congestion controller.

The engine finds losses and does the retransmitting; the controller owns ``cwnd`` and ``ssthresh``, both
in bytes.
"""

from __future__ import annotations

from typing import Protocol


class CongestionControl(Protocol):
    """One connection's congestion controller."""

    name: str
    cwnd: int
    ssthresh: int

    def set_mss(self, mss: int) -> None:
        """The sender's maximum segment size is known, or has changed."""

    def on_ack(self, acked: int, now: float) -> None:
        """``acked`` new bytes were acknowledged outside of recovery, and cwnd was what limited us."""

    def on_loss(self, in_flight: int, now: float) -> None:
        """Fast retransmit found a loss: recovery begins."""

    def on_recovered(self, in_flight: int, now: float) -> None:
        """Everything that was outstanding when recovery began is acknowledged."""

    def on_timeout(self, in_flight: int, *, again: bool, now: float) -> None:
        """The retransmission timer fired; ``again`` means for the same segment as before."""

    def on_idle(self, now: float) -> None:
        """Sending restarts after more than one timeout of silence (RFC 5681 §4.1)."""

    def on_syn_lost(self) -> None:
        """Our SYN had to be sent again: begin with one segment (RFC 5681 §3.1)."""
