"""The conformance suite: what every connector must do, whatever system it is for, tried on a real one.

It is given a kind, a configuration of a test system that it may write to, and a workbench. It works without any test
framework, so that a third party can run it on a connector of their own: `onewriter systems conformance`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from onewriter.connectors import conformance_described, conformance_faults, conformance_read, conformance_write
from onewriter.connectors.conformance_stage import Failed, Stage
from onewriter.connectors.interface import Kind
from onewriter.connectors.workbench import NotApplicable, Workbench
from onewriter.errors import OnewriterError

Verdict = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found."""

    name: str
    verdict: Verdict
    meaning: str
    """What it would mean for customers if this failed."""
    detail: str = ""
    """Why it failed, or why it does not apply; without any value."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a connector must do. `function` raises Failed or NotApplicable."""

    name: str
    meaning: str
    function: Callable[[Stage], None]


def checks() -> tuple[Check, ...]:
    """Every check, in the order in which they run: what the texts say is looked at last."""
    parts = (conformance_described, conformance_read, conformance_write, conformance_faults)
    return tuple(Check(name, meaning, function) for part in parts for name, meaning, function in part.CHECKS)


def run(
    kind: Kind,
    configuration: Mapping[str, Any],
    workbench: Workbench | None = None,
    *,
    only: Collection[str] | None = None,
) -> Iterator[Result]:
    """Run every check, or only those of some names, on a test system and tell what each found, as it is found.

    It makes some hundreds of records there, whose values begin with `kanarie`, and changes and deletes no others.
    Raises what opening and describing the system raises, since nothing could be checked then.
    """
    with Stage(kind, configuration, workbench or Workbench()) as stage:
        for check in checks():
            if only is not None and check.name not in only:
                continue
            yield _result(check, stage)


def _result(check: Check, stage: Stage) -> Result:
    try:
        check.function(stage)
    except NotApplicable as reason:
        return Result(check.name, "not applicable", check.meaning, str(reason))
    except Failed as reason:
        return Result(check.name, "failed", check.meaning, str(reason))
    except OnewriterError as error:
        return Result(check.name, "failed", check.meaning, f"it raised {type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - a third party's connector may raise anything, and that is the finding
        # The message of an error that is not ours may hold values.
        return Result(
            check.name, "failed", check.meaning, f"it raised {type(error).__name__}, which is no error of ours"
        )
    return Result(check.name, "passed", check.meaning)
