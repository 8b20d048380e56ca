"""Fast Open cookies, the cache of them, and the count of pending requests (RFC 7413 §4.1, §5.1)."""

from __future__ import annotations

from usertcp.stack.fast_open import PERIOD, CookieCache, PendingRequests, Server, cookie_for, is_valid
from usertcp.stack.host import Host

SECRET = b"sixteen bytes or more"
ADDRESSES = bytes([192, 0, 2, 1, 192, 0, 2, 2])


def test_a_cookie_is_for_one_client_and_expires() -> None:
    cookie = cookie_for(SECRET, ADDRESSES, 0)
    assert len(cookie) == 8
    assert is_valid(SECRET, ADDRESSES, cookie, 2 * PERIOD - 1)
    assert not is_valid(SECRET, ADDRESSES, cookie, 2 * PERIOD)
    assert not is_valid(SECRET, ADDRESSES[::-1], cookie, 0)
    assert not is_valid(b"another secret, as long", ADDRESSES, cookie, 0)
    for wrong in (b"", cookie[:4], cookie + cookie, bytes(8)):
        assert not is_valid(SECRET, ADDRESSES, wrong, 0)


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache = CookieCache(2)
    for path in (b"a", b"b"):
        cache.remember(path, Server(path, 1460))
    assert cache.find(b"a", 0.0) == Server(b"a", 1460)
    cache.remember(b"c", Server(b"c", 1460))
    assert cache.find(b"b", 0.0) == Server()
    assert cache.find(b"a", 0.0) == Server(b"a", 1460)


def test_what_failed_is_tried_again_after_a_while() -> None:
    cache = CookieCache(2)
    cache.remember(b"a", Server(b"cookie", 1460))
    cache.failed(b"a", 0.0)
    assert cache.find(b"a", CookieCache.PENALTY - 1) is None
    assert cache.find(b"a", CookieCache.PENALTY) == Server()
    for path in (b"b", b"c"):
        cache.failed(path, 0.0)
    assert cache.find(b"a", 0.0) == Server()  # failures are bounded, too


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
