"""The outermost command: it imports a command when it is called, and turns every error into one sentence and a code."""

import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from onewriter.errors import BadInput, BadSetting, OnewriterError, Temporary

DONE, FINDINGS, USAGE, UNREACHABLE, FAILED, PARTLY = range(6)
INTERRUPTED = 130
PIPE_CLOSED = 141


class PartlyDone(OnewriterError):
    """Some of it was done, and the message says what was not."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A command as the outermost help lists it, without importing it. `place` is module:attribute."""

    name: str
    place: str
    help: str
    hidden: bool = False

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.place.partition(":")
        if module not in sys.modules:
            _import(module)
        command: click.Command = getattr(sys.modules[module], attribute)
        return command


def _import(module: str) -> None:
    """Import a module. What is imported stays, and looking through it for garbage would be a fifth of a command."""
    gc.disable()
    try:
        import_module(module)
    finally:
        gc.freeze()
        gc.enable()


class Root(click.Group):
    """The outermost command."""

    def __init__(self, listed: Sequence[Listed], **given: Any) -> None:
        super().__init__(**given)
        self.listed = {one.name: one for one in listed}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names that people see, in the order of the story."""
        return [one.name for one in self.listed.values() if not one.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        return self.listed[cmd_name].load() if cmd_name in self.listed else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them: help must not wait for a database library."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.listed[name].help) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that hung up (`| head`) is no error worth a word."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(PIPE_CLOSED)

    def main(  # type: ignore[override]  # one signature in place of click's two overloads
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **given: Any
    ) -> Any:
        """Run, and end the process with the exit code; out of standalone mode, return it."""
        words = list(sys.argv[1:] if args is None else args)
        run = super().main
        code = guarded(lambda: run(words, standalone_mode=False, **given), as_json="--json" in words)
        if standalone_mode:
            sys.exit(code)
        return code


def guarded(action: Callable[[], Any], *, as_json: bool) -> int:
    """Run the action; its exit code, or that of its error, which is told in one sentence. No traceback, ever."""
    try:
        answer = action()
    except NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return _tell("Usage", _usage(error), USAGE, as_json)
    except (click.Abort, KeyboardInterrupt, EOFError):
        return _tell("Interrupted", "Interrupted.", INTERRUPTED, as_json)
    except OnewriterError as error:
        return _tell(type(error).__name__, str(error), _code_of(error), as_json)
    except Exception as error:  # noqa: BLE001 - its text may hold a value, so only its type is told
        kind = type(error).__name__
        sentence = f"An error that we did not expect ({kind}); please report it with the command that you gave."
        return _tell(kind, sentence, FAILED, as_json)
    return answer if isinstance(answer, int) else DONE


def _code_of(error: OnewriterError) -> int:
    if isinstance(error, Temporary):
        return UNREACHABLE
    if isinstance(error, BadInput | BadSetting):
        return USAGE
    return PARTLY if isinstance(error, PartlyDone) else FAILED


def _usage(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "onewriter"
    return f"{message}. See `{path} --help`."


def _tell(kind: str, message: str, code: int, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"error": {"kind": kind, "message": message}}, ensure_ascii=False))
    else:
        click.echo(f"Error: {message}", err=True)
    return code
