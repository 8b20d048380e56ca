"""Which service answers on which port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from trio.abc import HalfCloseableStream

from usertcp.services import chargen, daytime, discard, echo, http
from usertcp.services.http.routes import Stats, no_stats
from usertcp.services.text import visible

Serve: TypeAlias = Callable[[HalfCloseableStream], Awaitable[None]]


class Service(NamedTuple):
    """A service by its name and well-known port."""

    name: str
    port: int
    serve: Serve


SERVICES: Final[dict[str, Service]] = {
    service.name: service
    for service in (
        Service("http", 80, http.serve),
        Service("echo", 7, echo.serve),
        Service("discard", 9, discard.serve),
        Service("daytime", 13, daytime.serve),
        Service("chargen", 19, chargen.serve),
    )
}
_BY_PORT: Final = {service.port: service for service in SERVICES.values()}


class Binding(NamedTuple):
    """A port to listen on and the service that answers there."""

    port: int
    service: Service

    def __str__(self) -> str:
        return f"{self.port}:{self.service.name}"


class BindingError(ValueError):
    """PORT or PORT:SERVICE that makes no sense; its text says why and what would."""


def parse_binding(text: str) -> Binding:
    """``PORT`` or ``PORT:SERVICE``; a port alone gets its well-known service, any other http.

    Raises :class:`BindingError`.
    """
    number, colon, name = text.partition(":")
    port = parse_port(number)
    if not colon:
        return Binding(port, _BY_PORT.get(port, SERVICES["http"]))
    if name not in SERVICES:
        known = ", ".join(SERVICES)
        raise BindingError(f"there is no service {visible(name)!r}; there are {known}")
    return Binding(port, SERVICES[name])


def parse_port(text: str) -> int:
    """A TCP port from 1 to 65535.  Raises :class:`BindingError`."""
    if not (text.isascii() and text.isdigit()):
        raise BindingError(f"{visible(text)!r} is not a port; a port is a number from 1 to 65535")
    if len(text) > 5 or not 1 <= int(text) <= 65535:
        raise BindingError(f"port {visible(text)} is out of range; a port is a number from 1 to 65535")
    return int(text)


def handler(service: Service, stats: Stats = no_stats) -> Serve:
    """What to hand to :func:`trio.serve_listeners` for ``service``; ``stats`` is for ``GET /stats``."""
    if service.name == "http":
        return partial(http.serve, stats=stats)
    return service.serve
