"""Why bytes were no packet: the named reasons every ``parse`` of this package may return."""

from __future__ import annotations

from enum import StrEnum
from typing import final


@final
class Malformed(StrEnum):
    """A parse that failed.  The value is the name of the counter, ``meaning`` says it in one line."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Malformed:
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.meaning = meaning
        return reason

    VIRTIO_TRUNCATED = "virtio-truncated", "shorter than the 10 bytes of a virtio_net_hdr"

    IPV4_HEADER_TRUNCATED = "ipv4-header-truncated", "shorter than its IPv4 header"
    IPV4_VERSION = "ipv4-version", "version field is not 4"
    IPV4_HEADER_LENGTH = "ipv4-header-length", "IPv4 header length below 20 bytes"
    IPV4_TOTAL_LENGTH = "ipv4-total-length", "IPv4 total length below the header's or above the packet's"
    IPV4_CHECKSUM = "ipv4-checksum", "IPv4 header checksum is wrong"

    IPV6_HEADER_TRUNCATED = "ipv6-header-truncated", "shorter than the 40 bytes of an IPv6 header"
    IPV6_VERSION = "ipv6-version", "version field is not 6"
    IPV6_PAYLOAD_LENGTH = "ipv6-payload-length", "IPv6 payload length goes past the end of the packet"
    IPV6_EXTENSION_TRUNCATED = "ipv6-extension-truncated", "an IPv6 extension header goes past the end"
    IPV6_EXTENSION_ORDER = "ipv6-extension-order", "hop-by-hop options that do not come first"
    IPV6_EXTENSIONS_TOO_MANY = "ipv6-extensions-too-many", "more extension headers than we care to walk"
    IPV6_CHAIN_INCOMPLETE = "ipv6-chain-incomplete", "a first IPv6 fragment that does not have all headers"
    IPV6_OPTION = "ipv6-option", "an IPv6 option goes past the end of its header"
    IPV6_OPTION_UNRECOGNIZED = (
        "ipv6-option-unrecognized",
        "an unknown IPv6 option whose type asks to discard the packet",
    )
    IPV6_JUMBOGRAM = "ipv6-jumbogram", "jumbo payload option (RFC 2675), which is not supported"
    IPV6_ROUTING = "ipv6-routing", "a routing header with segments left: we are a host"

    ICMP_TRUNCATED = "icmp-truncated", "shorter than its ICMP header"
    ICMP_CHECKSUM = "icmp-checksum", "ICMP checksum is wrong"
    ICMP_QUOTED_TRUNCATED = "icmp-quoted-truncated", "the quoted packet is too short to tell whose it was"
    ICMP_QUOTED_VERSION = "icmp-quoted-version", "the quoted packet is of another IP version"
    ICMP_QUOTED_FRAGMENT = "icmp-quoted-fragment", "the quoted packet is a fragment without the ports"
    ICMP_QUOTED_PROTOCOL = "icmp-quoted-protocol", "the quoted packet is of a protocol without ports"

    TCP_HEADER_TRUNCATED = "tcp-header-truncated", "shorter than the 20 bytes of a TCP header"
    TCP_DATA_OFFSET = "tcp-data-offset", "TCP data offset below 20 bytes or past the end of the segment"
    TCP_OPTION_LENGTH = "tcp-option-length", "a TCP option of length 0 or 1"
    TCP_OPTION_TRUNCATED = "tcp-option-truncated", "a TCP option goes past the end of the header"
    TCP_CHECKSUM = "tcp-checksum", "TCP checksum is wrong"

    UDP_HEADER_TRUNCATED = "udp-header-truncated", "shorter than the 8 bytes of a UDP header"
    UDP_LENGTH = "udp-length", "UDP length below the header's or above what arrived"
    UDP_CHECKSUM = "udp-checksum", "UDP checksum is wrong, or missing with IPv6"
