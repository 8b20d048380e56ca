"""The fields of Linux's tcp_info by name."""

from __future__ import annotations

from struct import pack_into

from usertcp.drill.info import fields

#: Places by the C declaration in linux/tcp.h, counted by hand.
_PLACES = {
    "tcpi_state": (0, "B"),
    "tcpi_options": (5, "B"),
    "tcpi_rto": (8, "I"),
    "tcpi_unacked": (24, "I"),
    "tcpi_fackets": (40, "I"),
    "tcpi_pmtu": (60, "I"),
    "tcpi_snd_cwnd": (80, "I"),
    "tcpi_total_retrans": (100, "I"),
    "tcpi_pacing_rate": (104, "Q"),
    "tcpi_bytes_received": (128, "Q"),
    "tcpi_segs_out": (136, "I"),
    "tcpi_delivery_rate": (160, "Q"),
    "tcpi_delivered": (192, "I"),
    "tcpi_bytes_retrans": (208, "Q"),
    "tcpi_rehash": (236, "I"),
    "tcpi_total_rto_recoveries": (242, "H"),
    "tcpi_total_rto_time": (244, "I"),
    "tcpi_received_ce_bytes": (272, "I"),
    "tcpi_accecn_opt_seen": (278, "H"),
}


def test_each_field_is_read_from_its_place() -> None:
    raw = bytearray(280)
    for number, (offset, form) in enumerate(_PLACES.values(), 1):
        pack_into(f"={form}", raw, offset, number)
    found = fields(bytes(raw))
    for number, name in enumerate(_PLACES, 1):
        assert found[name] == number, name
    assert sum(found.values()) == sum(range(1, len(_PLACES) + 1))  # and nothing is read twice


def test_bit_fields() -> None:
    raw = bytearray(280)
    raw[6], raw[7] = 0x87, 0b101
    found = fields(bytes(raw))
    assert (found["tcpi_snd_wscale"], found["tcpi_rcv_wscale"]) == (7, 8)
    assert (found["tcpi_delivery_rate_app_limited"], found["tcpi_fastopen_client_fail"]) == (1, 2)


def test_a_shorter_structure_has_fewer_fields() -> None:
    found = fields(bytes(104))
    assert "tcpi_total_retrans" in found
    assert "tcpi_pacing_rate" not in found
    assert "tcpi_rto" not in fields(bytes(11))
    assert fields(b"") == {}
