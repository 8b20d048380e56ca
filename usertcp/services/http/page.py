"""The words and the page that ``GET /`` answers with."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from usertcp.services.description import Json, endpoint

#: Nothing may be loaded or run, whatever the page turns out to hold.
HTML_HEADERS: Final = (
    (b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'"),
    (b"X-Content-Type-Options", b"nosniff"),
)

RESOURCES: Final = """\
  GET  /bytes/N     N bytes, at most 10**12
  PUT  /upload      counts and hashes what you send
  PUT  /sink        only counts it
  GET  /connection  this very connection, as JSON
  GET  /stats       the counters of the host, as JSON
"""

_STYLE: Final = """\
body{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:3em auto;padding:0 1em;
  color:#222;background:#fff}
h1{font-size:1.4em}
pre,td{font-family:ui-monospace,monospace;font-size:.9em}
td{padding:.1em 1em .1em 0;vertical-align:top;overflow-wrap:anywhere}
td:first-child{color:#666}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td:first-child{color:#999}a{color:#8bf}}
"""


def text_page(connection: Mapping[str, Json]) -> str:
    """What curl gets."""
    return f"Hello from usertcp: {sentence(connection)}\n\n{RESOURCES}"


def sentence(connection: Mapping[str, Json]) -> str:
    """Which connection this is, in one sentence."""
    who = "a TCP connection"
    if "local_address" in connection:
        local, remote = (
            endpoint(connection[f"{side}_address"], connection[f"{side}_port"]) for side in ("local", "remote")
        )
        who = f"the TCP connection from {remote} to {local}"
    if "state" not in connection:
        return f"{who} carries this answer."
    return f"{who}, now {connection['state']}, is run by Python in user space."


def html_page(connection: Mapping[str, Json], request: str, user_agent: str) -> str:
    """What a browser gets.  Everything handed in is escaped here."""
    rows = "".join(f"<tr><td>{escape(name)}<td>{escape(_cell(value))}" for name, value in connection.items())
    links = escape(RESOURCES)
    for path in ("/connection", "/stats"):
        links = links.replace(f" {path} ", f' <a href="{path}">{path}</a> ')
    asked = f"{request} from {user_agent}" if user_agent else request
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>usertcp</title>'
        f"<style>{_STYLE}</style><h1>Hello from usertcp</h1>"
        f"<p>{escape(_capital(sentence(connection)))}</p>"
        f"<p>You asked for <code>{escape(asked)}</code></p>"
        f"<table>{rows}</table><pre>{links}</pre></html>\n"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(value: Json) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_cell(item)}" for name, item in value.items())
    return "-" if value is None else str(value)
