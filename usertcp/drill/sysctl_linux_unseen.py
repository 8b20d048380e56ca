"""Variables of Linux that a script may set to anything: it could not tell the difference.

They are about time and memory that the kernel spends, about packets that are forwarded, about devices and addresses,
or about other protocols.  Here is one device with one peer, and TCP and UDP over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from usertcp.drill.sysctl import Variable, nothing, text

_NEIGHBOURS: Final = (
    "anycast_delay app_solicit base_reachable_time base_reachable_time_ms delay_first_probe_time gc_interval "
    "gc_stale_time gc_thresh1 gc_thresh2 gc_thresh3 interval_probe_time_ms locktime mcast_resolicit mcast_solicit "
    "proxy_delay proxy_qlen retrans_time retrans_time_ms ucast_solicit unres_qlen unres_qlen_bytes"
)
#: Why, before which names, and which.
_NAMES: Final = (
    (
        "how the kernel spends time and memory",
        "net.ipv4.",
        "tcp_early_demux udp_early_demux ip_early_demux tcp_backlog_ack_defer tcp_child_ehash_entries "
        "tcp_ehash_entries udp_child_hash_entries udp_hash_entries tcp_migrate_req tcp_fwmark_accept udp_mem "
        "tcp_l3mdev_accept udp_l3mdev_accept raw_l3mdev_accept fwmark_reflect udp_rmem_min udp_wmem_min "
        "xfrm4_gc_thresh",
    ),
    (
        "how the kernel spends time and memory",
        "net.core.",
        "bpf_jit_enable bpf_jit_harden bpf_jit_kallsyms bpf_jit_limit busy_poll busy_read default_qdisc dev_weight "
        "dev_weight_rx_bias dev_weight_tx_bias flow_limit_cpu_bitmap flow_limit_table_len gro_normal_batch "
        "high_order_alloc_disable max_skb_frags mem_pcpu_rsv message_burst message_cost netdev_budget "
        "netdev_budget_usecs netdev_max_backlog netdev_tstamp_prequeue netdev_unregister_timeout_secs optmem_max "
        "rps_default_mask rps_sock_flow_entries skb_defer_max tstamp_allow_data txrehash warnings",
    ),
    (
        "counts over all connections of a host, and a script has a few",
        "net.ipv4.",
        "tcp_max_tw_buckets tcp_tw_reuse_delay inet_peer_maxttl inet_peer_minttl inet_peer_threshold "
        "icmp_msgs_burst icmp_msgs_per_sec icmp_ratelimit icmp_ratemask",
    ),
    (
        "flow labels change the path of packets, and there is one path",
        "net.ipv4.",
        "tcp_plb_enabled tcp_plb_cong_thresh tcp_plb_idle_rehash_rounds tcp_plb_rehash_rounds tcp_plb_suspend_rto_sec",
    ),
    (
        "there is one link with one peer, and nothing is forwarded",
        "net.ipv4.",
        "ip_forward ip_forward_update_priority ip_forward_use_pmtu ip_dynaddr ip_nonlocal_bind "
        "fib_multipath_hash_policy fib_multipath_hash_fields fib_multipath_hash_seed fib_multipath_use_neigh "
        "fib_sync_mem fib_notify_on_flag_change nexthop_compat_mode route.flush route.error_burst route.error_cost "
        "route.gc_elasticity route.gc_interval route.gc_min_interval route.gc_min_interval_ms route.gc_thresh "
        "route.gc_timeout route.max_size route.mtu_expires route.redirect_load route.redirect_number "
        "route.redirect_silence icmp_errors_use_inbound_ifaddr",
    ),
    (
        "there is one link with one peer, and nothing is forwarded",
        "net.ipv4.conf.*.",
        "accept_local accept_redirects accept_source_route arp_accept arp_announce arp_filter arp_ignore arp_notify "
        "forwarding log_martians proxy_arp rp_filter route_localnet secure_redirects send_redirects shared_media "
        "promote_secondaries disable_policy disable_xfrm src_valid_mark arp_evict_nocarrier bc_forwarding bootp_relay "
        "drop_gratuitous_arp drop_unicast_in_l2_multicast ignore_routes_with_linkdown mc_forwarding medium_id "
        "proxy_arp_pvlan tag force_igmp_version igmpv2_unsolicited_report_interval igmpv3_unsolicited_report_interval",
    ),
    (
        "there is one link with one peer, and nothing is forwarded",
        "net.ipv6.conf.*.",
        "accept_dad accept_ra accept_redirects accept_source_route autoconf addr_gen_mode dad_transmits forwarding "
        "use_tempaddr router_solicitations disable_ipv6 optimistic_dad enhanced_dad ndisc_notify",
    ),
    (
        "there is one link with one peer, and nothing is forwarded",
        "net.ipv6.",
        "ip_nonlocal_bind route.flush route.gc_elasticity route.gc_interval route.gc_min_interval route.gc_thresh "
        "route.gc_timeout route.max_size route.mtu_expires route.min_adv_mss fib_multipath_hash_policy xfrm6_gc_thresh "
        "idgen_delay idgen_retries anycast_src_echo_reply",
    ),
    (
        "there is one link with one peer, and its address is known",
        "net.ipv4.neigh.*.",
        _NEIGHBOURS,
    ),
    (
        "there is one link with one peer, and its address is known",
        "net.ipv6.neigh.*.",
        _NEIGHBOURS,
    ),
    (
        "flow labels are compared only where a script names one",
        "net.ipv6.",
        "auto_flowlabels flowlabel_consistency flowlabel_reflect flowlabel_state_ranges",
    ),
    (
        "scripts see ports only where they name them",
        "net.ipv4.",
        "ip_local_port_range ip_local_reserved_ports ip_unprivileged_port_start ip_autobind_reuse",
    ),
    (
        "about other protocols",
        "net.ipv4.",
        "icmp_echo_ignore_all icmp_echo_enable_probe icmp_echo_ignore_broadcasts icmp_ignore_bogus_error_responses "
        "igmp_link_local_mcast_reports igmp_max_memberships igmp_max_msf igmp_qrv ping_group_range "
        "cipso_cache_bucket_size cipso_cache_enable cipso_rbm_optfmt cipso_rbm_strictvalid",
    ),
    (
        "about fragments that scripts do not send",
        "net.ipv4.",
        "ipfrag_high_thresh ipfrag_low_thresh ipfrag_max_dist ipfrag_secret_interval ipfrag_time",
    ),
    (
        "about fragments that scripts do not send",
        "net.ipv6.",
        "ip6frag_high_thresh ip6frag_low_thresh ip6frag_secret_interval ip6frag_time",
    ),
    ("about other protocols", "net.ipv6.icmp.", "echo_ignore_all echo_ignore_anycast echo_ignore_multicast ratelimit"),
    ("about other parts of the kernel", "kernel.", "printk panic_on_oops panic panic_on_warn"),
    ("about other parts of the kernel", "net.mptcp.", "enabled"),
)


def _variables() -> Iterator[tuple[str, Variable]]:
    for why, prefix, names in _NAMES:
        for name in names.split():
            yield prefix + name, Variable("", text, nothing(why))


UNSEEN: Final[dict[str, Variable]] = dict(_variables())
