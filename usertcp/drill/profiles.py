"""Whose stack a script was written for: the defaults that it takes for granted.

A profile only chooses values; whatever differs between stacks is a setting of ours with a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from usertcp.drill.shell import Dialect
from usertcp.drill.sysctl_linux import FAST_OPEN_KEY, fast_open_key
from usertcp.sim.posix import SocketConfig
from usertcp.sim.posix.config import PACKET_OVERHEAD
from usertcp.stack.host import HostConfig
from usertcp.tcp.settings import Settings


class UnknownProfile(ValueError):
    """There is no profile of this name; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a system is after it was started."""

    name: str
    #: Whose commands and variables its scripts use.
    dialect: Dialect
    #: Whose socket calls.
    personality: Literal["linux", "freebsd"]
    host: HostConfig
    sockets: SocketConfig
    #: Whether its device takes super-segments.
    offload: bool


_USERTCP: Final = Profile(
    name="usertcp",
    dialect="linux",
    personality="linux",
    host=HostConfig(),
    sockets=SocketConfig(),
    offload=True,
)

_LINUX: Final = Profile(
    name="linux",
    dialect="linux",
    personality="linux",
    host=HostConfig(
        settings=Settings(
            option_layout="words",
            window_unit="segment",
            mss_within_half_window=True,
            ack_counting_limit=1 << 20,
            syn_losses_forgiven=1,
            syn_ack_losses_forgiven=1 << 20,
            frto_beside_repeated=True,
            only_larger_windows=True,
            sack_at_edge=False,
            rtt_of_repeated=True,
            rtt_of_oldest=True,
            patience_after_loss=True,
            nagle="minshall",
            rto_variance="round",
            sws_override=None,
            retries=15,
            orphan_retries=8,
            syn_retries=6,
            syn_ack_retries=5,
            syn_linear_timeouts=4,
            reset_on_timeout="keepalives",
            zero_window_probe="old",
            min_pto=0.0,
            probe_slack=0.002,
            super_segments="paced",
            tso_rtt_log=9,
            tso_window_divisor=3,
            push_super_segments=True,
            initial_receive_buffer=540000,
            receive_buffer=15 << 20,
            window_rule="up",
            time_wait_rule="next",
            acceptance="last-ack",
            half_open="request",
            reset_at="sack",
            reject_ghost_acks=True,
            syn_again_after=0.005,
            acknowledge_crossed_syn=True,
            drop_syn_fin=True,
            keep_syn_data=False,
            reset_acknowledges=True,
            half_open_vanish=True,
            reset_late_data=True,
            unread_stays=True,
            adaptive_acks=True,
            window_space_ratio=0.5,
            window_space_measured=True,
            window_scale_buffer=15 << 20,
            round_syn_window=True,
            max_rto=120.0,
            rfc1337=False,
            mtu_probing=False,
            syn_data_reserve=40,
            early_data_waits=True,
            icmp_ends_opening="any",
            path_mtu_checks=False,
            revert_backoff=True,
        ),
        fast_open_keys=(fast_open_key(FAST_OPEN_KEY),),
        fast_open_penalty=0.0,
        fast_open_experiment=True,
    ),
    sockets=SocketConfig(
        send_buffer=256 << 10,
        most_send_buffer=4 << 20,
        packet_overhead=PACKET_OVERHEAD,
        fast_open=1,
    ),
    offload=True,
)

_FREEBSD: Final = Profile(
    name="freebsd",
    dialect="freebsd",
    personality="freebsd",
    host=HostConfig(
        settings=Settings(
            option_layout="scale-first",
            initial_receive_buffer=65536,
            receive_buffer=2 << 20,
            window_rule="exact",
            time_wait_rule="duplicates",
            half_open="entry",
            reject_ghost_acks=True,
            keep_syn_data=False,
            reset_acknowledges=True,
            half_open_vanish=True,
            reset_late_data=True,
            unread_stays=True,
            acks_by_segments=True,
            window_scale_buffer=2 << 20,
            min_rto=0.0,
            max_rto=64.0,
            rto_slop=0.2,
            rto_floor=0.03,
            retries=12,
            count_retries=True,
            opening_timeout=75.0,
            sample_syn_ack=False,
            orphan_retries=12,
            syn_retries=12,
            syn_ack_retries=3,
            reset_on_timeout="always",
            reset_has_window=False,
            sws_override=None,
            persist_min=5.0,
            round_receive_buffer=True,
            ecn_syn_retries=1,
            min_path_mtu=256,
            reset_at="acknowledged",
            icmp_ends_opening="refusals",
            old_acks_count=True,
            require_timestamps=True,
            paws_answers_empty=False,
            challenge_interval=1.0,
            challenge_count=5,
            challenge_unacceptable=False,
            min_mss=216,
            ack_counting_limit=2,
            keepalive=True,
            keepalive_probes=8,
            fin_wait_2_timeout=600.0,
            tlp=False,
            frto=False,
            mtu_probing=False,
        ),
    ),
    sockets=SocketConfig(
        somaxconn=128,
        fast_open=1,
        send_buffer=32768,
        most_send_buffer=2 << 20,
        send_buffer_limit=2 << 20,
        receive_buffer_limit=2 << 20,
        doubles_buffers=False,
    ),
    offload=False,
)

_PROFILES: Final = {profile.name: profile for profile in (_LINUX, _FREEBSD, _USERTCP)}
NAMES: Final = tuple(_PROFILES)


def profile(name: str) -> Profile:
    """The profile of this name.  Raises UnknownProfile."""
    try:
        return _PROFILES[name]
    except KeyError:
        raise UnknownProfile(f"no profile {name!r}; there are: {', '.join(NAMES)}") from None
