"""The system under test as values: what a profile begins with, and what a script's shell lines have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from usertcp.drill.routes import set_route
from usertcp.drill.shell import (
    Action,
    Dialect,
    RestoreSysctls,
    SaveSysctls,
    SetMtu,
    SetOffload,
    SetRoute,
    SetSysctl,
)
from usertcp.drill.sysctl import Value, Variable, plain_name, set_variable
from usertcp.drill.sysctl_freebsd import FREEBSD
from usertcp.drill.sysctl_linux import LINUX
from usertcp.drill.target import NotPossible
from usertcp.sim.posix import SocketConfig
from usertcp.stack.host import HostConfig
from usertcp.tcp.settings import Settings

if TYPE_CHECKING:
    from usertcp.drill.profiles import Profile

TABLES: Final[Mapping[Dialect, Mapping[str, Variable]]] = {"linux": LINUX, "freebsd": FREEBSD}
#: A connection keeps these as they were when it was made; it looks at all the others whenever it needs them.
_AT_BIRTH: Final = frozenset(
    {"congestion_control", "initial_receive_buffer", "initial_window", "min_rto", "initial_rto"}
)
_SMALLEST_MTU: Final = 68


@dataclass(frozen=True, slots=True)
class System:
    """What a host under test is set to.  Each change makes a new one."""

    #: Whose variables a script may set.
    dialect: Dialect
    #: For a connection that is made now, and for the host.
    host: HostConfig
    sockets: SocketConfig
    #: Whether the device takes super-segments.
    offload: bool = False
    #: The device's MTU; None: whatever the script's options say.
    mtu: int | None = None
    #: The variables that were set, by their names.
    values: Mapping[str, Value] = field(default_factory=dict)
    #: What variables are to be again, by their names.
    saved: Mapping[str, str] = field(default_factory=dict)
    #: What the settings were that the route's metrics have changed.
    unrouted: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, profile: Profile) -> System:
        """A system that was just started."""
        return cls(profile.dialect, profile.host, profile.sockets, profile.offload)

    @property
    def settings(self) -> Settings:
        """Those of a connection that is made now."""
        return self.host.settings

    def with_settings(self, **values: Any) -> System:
        """This, with other settings for connections."""
        return replace(self, host=replace(self.host, settings=replace(self.settings, **values)))

    def with_host(self, **values: Any) -> System:
        """This, with the host set to something else."""
        return replace(self, host=replace(self.host, **values))

    def with_sockets(self, **values: Any) -> System:
        """This, with the socket layer set to something else."""
        return replace(self, sockets=replace(self.sockets, **values))

    def value(self, name: str) -> Value:
        """What a variable of the system's table is now."""
        variable = TABLES[self.dialect][name]
        found = self.values.get(name)
        return variable.read(variable.default) if found is None else found

    def sysctl(self, name: str, value: str) -> System:
        """This, with a variable set; its name has dots or slashes.  Raises NotPossible."""
        return set_variable(self, TABLES[self.dialect], name, value)

    def apply(self, action: Action) -> System:
        """This, after a line of shell.  Raises NotPossible."""
        match action:
            case SetSysctl(name, value):
                return self.sysctl(name, value)
            case SaveSysctls(names):
                return replace(self, saved=self._present(names))
            case RestoreSysctls():
                system = self
                for name, value in self.saved.items():
                    system = system.sysctl(name, value)
                return system
            case SetOffload(on):
                return replace(self, offload=on)
            case SetMtu(mtu):
                if not _SMALLEST_MTU <= mtu <= 0xFFFF:
                    raise NotPossible(f"an MTU of {mtu}")
                return replace(self, mtu=mtu)
            case SetRoute(metrics):
                return set_route(self, metrics)

    def _present(self, names: Iterable[str]) -> dict[str, str]:
        """What those of the variables are of which that is known, as text."""
        known = {plain_name(name) for name in names} & TABLES[self.dialect].keys()
        settable = (name for name in known if name in self.values or TABLES[self.dialect][name].default)
        return {name: _text(self.value(name)) for name in sorted(settable)}


def _text(value: Value) -> str:
    return value if isinstance(value, str) else " ".join(map(str, value))


def changes(before: System, after: System) -> dict[str, Any]:
    """The settings that connections see that were made ``before`` and are there still."""
    old, new = before.settings, after.settings
    return {
        f.name: getattr(new, f.name)
        for f in fields(Settings)
        if f.name not in _AT_BIRTH and getattr(old, f.name) != getattr(new, f.name)
    }
