"""Work that computes for long, in a process of its own, so that the door goes on as if nobody had asked.

The threads of one process take turns at its interpreter: beside one that computes, the door waits for its turn many
times a delivery (docs/decisions/0037). The other process goes behind the door where processors are short, frees its
memory with its end, and ends with the one that asked.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog

from onewriter import log
from onewriter.desk import imports, key_rules
from onewriter.desk.caller import Caller
from onewriter.errors import OnewriterError, Temporary
from onewriter.runtime import Runtime
from onewriter.settings import Settings

Given = ParamSpec("Given")
Told = TypeVar("Told")

COMMAND = (sys.executable, "-P", "-m", "onewriter.web.apart")
BEHIND = 10
"""How far it goes behind others where processors are short, as `nice` counts."""
SMALL = 256 * 1024
"""Bytes of a file that is looked at sooner than a process is begun."""
FEW = 1_000
"""Records of which the same is true."""

_asked: set["subprocess.Popen[bytes]"] = set()


class Unanswered(Temporary):
    """The process ended before it had answered."""


def look(caller: Caller, shop_named: str | None, file_id: str, size: int) -> dict[str, Any]:
    """What importing a file that was sent would do; `size` are its bytes."""
    if size <= SMALL:
        return imports.look(caller, shop_named, file_id)
    return ask(imports.look, caller, shop_named, file_id)


def other_keys(
    caller: Caller, shop_named: str | None, given: key_rules.Given, examples: int = key_rules.EXAMPLES
) -> key_rules.Checked:
    """What other keys would change, of as many records as a browser waits for."""
    most = key_rules.RECORDS_MAX
    if key_rules.records(caller, shop_named) <= FEW:
        return key_rules.check(caller, shop_named, given, examples, most=most)
    return ask(key_rules.check, caller, shop_named, given, examples, most=most)


def would_undo(caller: Caller, run_id: str) -> imports.Undone:
    """What taking back a cycle or an import would come to."""
    if imports.touched(caller, run_id) <= FEW:
        return imports.would_undo(caller, run_id)
    return ask(imports.would_undo, caller, run_id)


def ask(
    act: Callable[Concatenate[Caller, Given], Told], caller: Caller, *given: Given.args, **named: Given.kwargs
) -> Told:
    """What `act`, a function of a module, tells that caller; raises what it raises, and Unanswered.

    What goes in and comes out must bear to be pickled. The other process has a Runtime of its own, by the same settings
    and by the clock of the machine.
    """
    asked = pickle.dumps((caller.runtime.settings, caller.who, act, given, named))
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - ourselves
        _asked.add(process)
        try:
            told = _exchanged(process, asked)
        finally:
            _asked.discard(process)
    if not told:
        raise Unanswered("It could not be told: what worked it out ended. Try again; the service's log may say why.")
    outcome, refusal = pickle.loads(told)  # noqa: S301 - our own words, through a pipe that only we two hold
    if refusal is not None:
        raise _refused(*refusal)
    return outcome  # type: ignore[no-any-return]


def end_all() -> None:
    """End what was asked and has not answered yet, since the server is about to end."""
    for process in list(_asked):
        process.terminate()


def _exchanged(process: "subprocess.Popen[bytes]", asked: bytes) -> bytes:
    """What it says until it ends. Its standard input stays open meanwhile: by that it knows that we live."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(asked)
        process.stdin.flush()
    except BrokenPipeError:
        return b""
    return process.stdout.read()


def _refused(kind: type[OnewriterError], text: str, more: dict[str, Any]) -> OnewriterError:
    """An error of ours as it was raised there; how each is made differs, and what it holds does not."""
    error = kind.__new__(kind, text)
    error.__dict__.update(more)
    return error


# ---- The other process ----------------------------------------------------------------------------------------------


def main() -> None:
    """Read what is asked, answer it, and end."""
    os.nice(BEHIND)
    settings, who, act, given, named = pickle.load(sys.stdin.buffer)  # noqa: S301 - as above
    log.configure(settings.text("log_level"), settings.text("log_format"))
    threading.Thread(target=_end_with_asker, daemon=True).start()
    answer = _answered(settings, who, lambda caller: act(caller, *given, **named))
    if answer is not None:
        sys.stdout.buffer.write(pickle.dumps(answer))


def _end_with_asker() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _answered(settings: Settings, who: str, act: Callable[[Caller], Any]) -> tuple[Any, Any] | None:
    """What came of it, or why it was refused; None for what nobody foresaw, of which no text is told."""
    try:
        with Runtime(settings) as runtime:
            return act(Caller(runtime, who)), None
    except OnewriterError as error:
        return None, (type(error), str(error), error.__dict__)
    except Exception as error:  # noqa: BLE001 - Python would write its text, which may hold a value, to the log
        structlog.get_logger(__name__).error("not answered", error=type(error).__name__)
        return None


if __name__ == "__main__":
    main()
