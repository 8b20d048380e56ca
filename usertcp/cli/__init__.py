"""The ``usertcp`` command: one module for each verb, loaded when it is called for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import click

from usertcp import __version__
from usertcp.cli.ending import FAILURE, INTERRUPTED, USAGE, Failure, silence_output

#: Each verb's command, as module and name, and what ``--help`` says of it (without loading it).
_VERBS: Final = {
    "listen": ("usertcp.cli.listen:listen", "Serve http, echo and others on a TUN, by our own TCP."),
    "try": ("usertcp.cli.try_:try_", "Run a command against us in a private network; no root needed."),
    "connect": ("usertcp.cli.connect:connect", "Connect like netcat: stdin goes out, what comes to stdout."),
    "run": ("usertcp.cli.run:run", "Run an unmodified trio program with its sockets on our stack."),
    "ss": ("usertcp.cli.ss:ss", "Show the sockets of a running usertcp, as ss does the kernel's."),
    "trace": ("usertcp.cli.trace:trace", "Show live what a running usertcp does, and why."),
    "ladder": ("usertcp.cli.ladder:ladder", "Draw the ladders of recorded connections: text, SVG, mermaid."),
    "plot": ("usertcp.cli.plot:plot", "Plot a recorded connection: sequence numbers and windows over time."),
    "states": ("usertcp.cli.states:states", "Print the state diagram and the table behind it."),
    "drill": ("usertcp.cli.drill:drill", "Run packetdrill scripts against our stack, in virtual time."),
}


class _Cli(click.Group):
    """A group that loads its commands late, and says what is wrong in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module, _, name = _VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _VERBS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {_shown(args[0])}; there are {', '.join(_VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, summary) for verb, (_, summary) in _VERBS.items()])

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, *more: Any, **extra: Any
    ) -> NoReturn:
        """Run the command and exit with its status."""
        extra["standalone_mode"] = False
        sys.exit(self._status(args, prog_name, extra))

    def _status(self, args: Sequence[str] | None, prog_name: str | None, extra: dict[str, Any]) -> int:
        try:
            result = super().main(args, prog_name, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            return USAGE
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "usertcp"
            click.echo(f"{where}: {_one_line(error.format_message())} (see {where} --help)", err=True)
            return USAGE
        except click.ClickException as error:
            click.echo(f"usertcp: {_one_line(error.format_message())}", err=True)
            return error.exit_code
        except Failure as failure:
            click.echo(f"usertcp: {_one_line(str(failure))}", err=True)
            return failure.status
        except (KeyboardInterrupt, click.Abort):
            return INTERRUPTED
        except BrokenPipeError:
            silence_output()  # whoever read our output has gone
            return FAILURE
        except OSError as error:
            with suppress(OSError):
                click.echo(f"usertcp: could not write or read: {error.strerror or error}", err=True)
            silence_output()
            return FAILURE
        return result if isinstance(result, int) else 0


def _shown(text: str) -> str:
    """``text`` as typed, if a terminal can show it safely."""
    return text if text.isprintable() else ascii(text)


def _one_line(text: str) -> str:
    return _shown(" ".join(text.split()).rstrip("."))


@click.group(
    cls=_Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="See it work, without root:  usertcp try -- curl http://192.0.2.2/",
)
@click.version_option(__version__, message="usertcp %(version)s")
def main() -> None:
    """A complete TCP in user space, in Python: it answers real connections and shows what happens."""
