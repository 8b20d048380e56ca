"""The system calls that a script may make, and whether one returned what the script says."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any, Final

from usertcp.drill import calls_data, calls_messages, calls_options, calls_ready, calls_sockets
from usertcp.drill.arguments import Arguments, Context, unknown_names
from usertcp.drill.errors import Unsupported
from usertcp.drill.plan import Plan
from usertcp.drill.script import Anything, Expression, Number, SystemCall
from usertcp.drill.target import Running

_CALLS: Final[dict[str, Callable[[Arguments], Plan]]] = {
    "socket": calls_sockets.socket,
    "bind": calls_sockets.bind,
    "listen": calls_sockets.listen,
    "accept": calls_sockets.accept,
    "accept4": calls_sockets.accept,
    "connect": calls_sockets.connect,
    "shutdown": calls_sockets.shutdown,
    "close": calls_sockets.close,
    "getsockname": calls_sockets.name_of,
    "getpeername": calls_sockets.name_of,
    "dup": calls_sockets.dup,
    "pipe": calls_sockets.pipe,
    "open": calls_sockets.open_,
    "read": calls_data.read,
    "readv": calls_data.readv,
    "recv": calls_data.recv,
    "recvfrom": calls_data.recvfrom,
    "recvmsg": calls_messages.recvmsg,
    "write": calls_data.write,
    "writev": calls_data.writev,
    "send": calls_data.send,
    "sendto": calls_data.sendto,
    "sendmsg": calls_messages.sendmsg,
    "splice": calls_data.splice,
    "sendfile": calls_data.sendfile,
    "setsockopt": calls_options.setsockopt,
    "getsockopt": calls_options.getsockopt,
    "fcntl": calls_options.fcntl,
    "ioctl": calls_options.ioctl,
    "poll": calls_ready.poll,
    "select": calls_ready.select,
    "epoll_create": calls_ready.epoll_create,
    "epoll_create1": calls_ready.epoll_create,
    "epoll_ctl": calls_ready.epoll_ctl,
    "epoll_wait": calls_ready.epoll_wait,
}
NAMES: Final = tuple(_CALLS)

#: Two names for one thing, and FreeBSD's names.
_SAME_ERRNO: Final = {"EWOULDBLOCK": "EAGAIN", "ENOTSUP": "EOPNOTSUPP", "EDEADLOCK": "EDEADLK"}
#: What a kernel says to an option or call that it does not have.  Ours having less than a kernel is no failure.
_MISSING: Final = frozenset(("ENOPROTOOPT", "ENOSYS"))
#: The same, of a socket's kind.
_NO_SUCH_SOCKET: Final = frozenset(("EAFNOSUPPORT", "EPROTONOSUPPORT", "EPROTOTYPE", "ESOCKTNOSUPPORT"))


def check(call: SystemCall, line: int, personality: str) -> None:
    """Raises Unsupported where the call, or a name in its arguments or its result, is not known."""
    if call.name not in _CALLS:
        raise Unsupported(line, f"the system call {call.name}()")
    for expression in (*call.arguments, call.result):
        for name in unknown_names(expression, personality):
            raise Unsupported(line, f"the name {name} ({call.name})")
    if call.errno is not None and errno_name(call.errno) is None:
        raise Unsupported(line, f"the errno {call.errno}")


def plan(call: SystemCall, line: int, context: Context) -> Plan:
    """What is to be called.  Raises Unsupported."""
    return _CALLS[call.name](Arguments(call, line, context))


def errno_name(name: str) -> str | None:
    """The one name that an errno of :mod:`errno` goes by here; None for no errno."""
    name = _SAME_ERRNO.get(name, name)
    return name if isinstance(getattr(errno, name, None), int) and name.startswith("E") else None


def descriptor_of(call: SystemCall, line: int, context: Context) -> int:
    """The script's number of the descriptor that a call's first argument is."""
    return Arguments(call, line, context).number(0)


def verify(call: SystemCall, line: int, context: Context, plan: Plan, running: Running) -> list[str]:
    """What is not as the script says, a line each; a call that succeeded has its effect on the descriptors.

    Raises Unsupported where the target lacks what the script expects to be there.
    """
    failed = running.error if running.error is not None else plan.fails_with
    if failed is not None:
        return list(_failure(call, line, context, failed))
    return list(_success(call, line, context, plan, running.value))


def _failure(call: SystemCall, line: int, context: Context, number: int) -> Iterator[str]:
    name = errno.errorcode.get(number, str(number))
    name = _SAME_ERRNO.get(name, name)
    if isinstance(call.result, Anything):
        return
    expected = Arguments(call, line, context).value(call.result)
    if expected == -1 and (call.errno is None or errno_name(call.errno) == name):
        return
    if expected != -1 and (name in _MISSING or (call.name == "socket" and name in _NO_SUCH_SOCKET)):
        raise Unsupported(line, f"{spelled(call)}: {name}")
    yield f"result: expected {_expected(call, expected)}, got -1 {name}"


def _success(call: SystemCall, line: int, context: Context, plan: Plan, value: Any) -> Iterator[str]:
    result = plan.result(value)
    said = None if isinstance(call.result, Anything) else Arguments(call, line, context).value(call.result)
    wrong = _opened(context, plan, result, said) if plan.opens else said is not None and said != result
    if wrong:
        assert said is not None
        yield f"result: expected {_expected(call, said)}, got {result}"
        return
    if plan.after is not None:
        try:
            plan.after(value)
        except ValueError as error:
            yield str(error)
    yield from plan.differences(value)


def _opened(context: Context, plan: Plan, live: int, said: int | None) -> bool:
    """Give the new descriptor the script's number; whether the script has no such result."""
    script = live if said is None else said
    if script < 0 or context.descriptors.is_open(script):
        return True
    context.descriptors.opened(script, live, socket=plan.socket)
    if plan.connection:
        context.descriptors.connected(script)
    return False


def _expected(call: SystemCall, number: int) -> str:
    return f"{number} {call.errno}" if call.errno else str(number)


def spelled(call: SystemCall) -> str:
    """A call's name and the words in its arguments, for a message."""
    words = [_word(argument) for argument in call.arguments]
    return f"{call.name}({', '.join(words)})"


def _word(expression: Expression) -> str:
    name = getattr(expression, "name", None)
    if isinstance(name, str):
        return name
    return str(expression.value) if isinstance(expression, Number) else "..."
