from __future__ import annotations

from math import inf

from usertcp.stack.path_mtu import LIFETIME, MAX_ENTRIES, PathMtuCache

ADDRESS = bytes([192, 0, 2, 1])


def test_an_unknown_path_is_as_wide_as_the_link() -> None:
    assert PathMtuCache(1500).get(ADDRESS, 0.0) == (1500, inf)


def test_what_was_learned_is_believed_for_ten_minutes() -> None:
    """RFC 1191 §6.3, RFC 8201 §5.3."""
    cache = PathMtuCache(1500)
    cache.learn(ADDRESS, 1400, 100.0)
    assert cache.get(ADDRESS, 100.0 + LIFETIME - 1) == (1400, 100.0 + LIFETIME)
    assert cache.get(ADDRESS, 100.0 + LIFETIME) == (1500, inf)
    assert cache.get(bytes(16), 100.0) == (1500, inf)


def test_a_path_that_became_as_wide_as_the_link_is_nothing_to_remember() -> None:
    cache = PathMtuCache(1500)
    cache.learn(ADDRESS, 1400, 100.0)
    cache.learn(ADDRESS, 1500, 101.0)
    assert len(cache) == 0


def test_the_oldest_entry_gives_way() -> None:
    cache = PathMtuCache(1500)
    addresses = [number.to_bytes(4, "big") for number in range(MAX_ENTRIES + 1)]
    for address in addresses[:-1]:
        cache.learn(address, 1400, 0.0)
    cache.learn(addresses[0], 1300, 1.0)
    cache.learn(addresses[-1], 1400, 2.0)
    assert len(cache) == MAX_ENTRIES
    assert cache.get(addresses[0], 2.0).mtu == 1300
    assert cache.get(addresses[1], 2.0).mtu == 1500
