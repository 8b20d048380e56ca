"""The congestion controllers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp.congestion.base import CongestionControl
from usertcp.tcp.congestion.bbr import Bbr
from usertcp.tcp.congestion.cubic import Cubic
from usertcp.tcp.congestion.dctcp import Dctcp
from usertcp.tcp.congestion.newreno import NewReno
from usertcp.tcp.congestion.segment_cubic import SegmentCubic
from usertcp.tcp.congestion.segments import SegmentReno

if TYPE_CHECKING:
    from usertcp.tcp.settings import Settings

#: Every name that :func:`make` knows, the default first.
NAMES: Final = ("cubic", "reno", "bbr", "dctcp")


def make(
    name: str,
    initial_segments: int,
    counting_limit: int,
    *,
    paced: bool = False,
    validate: bool = False,
    abe: bool = False,
) -> CongestionControl:
    """A controller for one connection.

    ``initial_segments``: the initial window (RFC 6928); ``counting_limit``: segments that one
    acknowledgment may add in slow start (L in RFC 9406 §4.3).  ``paced``: the loss-based ones pace too (BBR
    always does); ``validate``: RFC 7661 for an unused window instead of RFC 5681 §4.1 (not for BBR, whose
    model says what to use); ``abe``: RFC 8511, for CUBIC and Reno.  Raises ValueError for an unknown name.
    """
    match name:
        case "cubic":
            return Cubic(initial_segments, counting_limit, paced=paced, validate=validate, abe=abe)
        case "reno":
            return NewReno(initial_segments, counting_limit, paced=paced, validate=validate, abe=abe)
        case "bbr":
            return Bbr(initial_segments, counting_limit)
        case "dctcp":
            return Dctcp(initial_segments, counting_limit, paced=paced, validate=validate)
    raise ValueError(f"no congestion control {name!r}; there are: {', '.join(NAMES)}")


def of_settings(settings: Settings) -> CongestionControl:
    """The controller that a connection with these settings begins with.  Raises ValueError."""
    if settings.window_unit == "segment":
        return _of_segments(settings)
    return make(
        settings.congestion_control,
        settings.initial_window,
        settings.ack_counting_limit,
        paced=settings.paced,
        validate=settings.validate_window,
        abe=settings.abe,
    )


def _of_segments(settings: Settings) -> CongestionControl:
    name = settings.congestion_control
    initial, limit, paced = settings.initial_window, settings.ack_counting_limit, settings.paced
    if name == "cubic":
        return SegmentCubic(initial, limit, paced=paced, hystart=settings.hystart)
    if name == "reno":
        return SegmentReno(initial, limit, paced=paced)
    return make(name, initial, limit, paced=paced)


def successor(
    before: CongestionControl, settings: Settings, mss: int, *, recovering: bool = False
) -> CongestionControl:
    """The controller of ``settings`` in the middle of a connection: the window stays, all else begins anew.

    ``recovering``: in a loss recovery, at the end of which the window becomes ``ssthresh``.  A controller that
    governs that itself has none, and its successor takes what the window is.  Raises ValueError for an unknown name.
    """
    after = of_settings(settings)
    after.set_mss(mss)
    after.cwnd, after.ssthresh = before.cwnd, before.ssthresh
    if recovering and before.governs_recovery:
        after.ssthresh = min(before.ssthresh, before.cwnd)
    return after
