"""Fast Open cookies, the cache of them, and the count of pending requests (RFC 7413 §4.1, §5.1)."""

from __future__ import annotations

from usertcp.stack.fast_open import (
    PERIOD,
    CookieCache,
    PendingRequests,
    Server,
    cookies,
    is_valid,
    keyed_cookies,
)
from usertcp.stack.host import Host

SECRET = b"sixteen bytes or more"
ADDRESSES = bytes([192, 0, 2, 1, 192, 0, 2, 2])


def test_a_cookie_is_for_one_client_and_expires() -> None:
    cookie = cookies(SECRET, ADDRESSES, 0)[0]
    assert len(cookie) == 8
    assert is_valid(cookie, cookies(SECRET, ADDRESSES, 2 * PERIOD - 1))
    assert not is_valid(cookie, cookies(SECRET, ADDRESSES, 2 * PERIOD))
    assert not is_valid(cookie, cookies(SECRET, ADDRESSES[::-1], 0))
    assert not is_valid(cookie, cookies(b"another secret, as long", ADDRESSES, 0))
    for wrong in (b"", cookie[:4], cookie + cookie, bytes(8)):
        assert not is_valid(wrong, cookies(SECRET, ADDRESSES, 0))


def test_cookies_of_a_key_are_those_of_linux() -> None:
    """Those that a kernel 6.18 gave with this key, and with one of zeros."""
    addresses = bytes([192, 0, 2, 1, 192, 168, 0, 1])
    ipv6 = bytes.fromhex("fd3dfa7bd17d00000000000000000001fd3d0a0b17d600000000000000000001")
    key = bytes.fromhex("a1a1a1a1b2b2b2b2c3c3c3c3d4d4d4d4")
    assert [cookie.hex() for cookie in keyed_cookies([key, bytes(16)], addresses)] == [
        "3021b9d889017eeb",
        "b7c12350a90dc8f5",
    ]
    assert [cookie.hex() for cookie in keyed_cookies([key], ipv6)] == ["c1d1e9742a47a9bc"]


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache = CookieCache(2, 3600.0)
    for path in (b"a", b"b"):
        cache.remember(path, Server(path, 1460))
    assert cache.find(b"a", 0.0) == Server(b"a", 1460)
    cache.remember(b"c", Server(b"c", 1460))
    assert cache.find(b"b", 0.0) == Server()
    assert cache.find(b"a", 0.0) == Server(b"a", 1460)


def test_what_failed_is_tried_again_after_a_while() -> None:
    cache = CookieCache(2, 3600.0)
    cache.remember(b"a", Server(b"cookie", 1460))
    cache.failed(b"a", 0.0)
    assert cache.find(b"a", 3599.0) is None
    assert cache.find(b"a", 3600.0) == Server()
    for path in (b"b", b"c"):
        cache.failed(path, 0.0)
    assert cache.find(b"a", 0.0) == Server()  # failures are bounded, too


def test_without_a_penalty_a_failure_is_forgotten_at_once() -> None:
    cache = CookieCache(2, 0.0)
    cache.remember(b"a", Server(b"cookie", 1460))
    cache.failed(b"a", 0.0)
    assert cache.find(b"a", 0.0) == Server(b"cookie", 1460)


def test_requests_that_were_reset_count_on_for_a_minute() -> None:
    pending = PendingRequests(2)
    host = Host([ADDRESSES[4:]], secret=SECRET)
    children = [host.connection_block(0, b"", ADDRESSES[4:], 80, ADDRESSES[:4], 1, None, 0.0) for _ in range(3)]
    for child in children[:2]:
        assert pending.room(0.0)
        pending.add(child)
    assert not pending.room(0.0)
    pending.deleted(children[0], 10.0)
    assert not pending.room(69.0)
    assert pending.room(70.0)
    pending.add(children[2])
    assert not pending.room(70.0)
    pending.established(children[1])
    pending.deleted(children[1], 80.0)  # much later, and of no interest
    assert pending.room(80.0)
