from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usertcp.services.http.page import html_page, sentence, text_page

TEXT = st.text(alphabet=st.characters(codec="ascii"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


def test_the_sentence_tells_as_much_as_is_known() -> None:
    addresses = {"local_address": "::2", "local_port": 80, "remote_address": "::1", "remote_port": 5}
    assert sentence({}) == "a TCP connection carries this answer."
    assert sentence(addresses) == "the TCP connection from [::1]:5 to [::2]:80 carries this answer."
    assert sentence(addresses | {"state": "ESTABLISHED"}).startswith(
        "the TCP connection from [::1]:5 to [::2]:80, now ESTABLISHED, "
    )
    assert "/bytes/N" in text_page({})


@given(st.dictionaries(TEXT, JSON, max_size=3), TEXT, TEXT)
def test_nothing_gets_into_the_page_unescaped(connection: dict[str, object], request: str, agent: str) -> None:
    """However it is filled, the page has the tags of the empty one and one pair for each row."""
    plain = html_page({}, "GET /", "curl")
    filled = html_page(connection, request, agent)  # type: ignore[arg-type]
    assert filled.count("<") == plain.count("<") + 3 * len(connection)
    assert filled.count(">") == plain.count(">") + 3 * len(connection)
