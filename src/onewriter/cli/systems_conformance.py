"""`onewriter systems conformance`: does a connector do all that every connector must?"""

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json
from onewriter.cli.output import emit, say
from onewriter.cli.systems_setup import configuration_given
from onewriter.connectors import conformance as suite
from onewriter.connectors.configuring import refuse_unfit
from onewriter.connectors.interface import Kind
from onewriter.connectors.kinds import kind_named
from onewriter.connectors.workbench import Workbench
from onewriter.errors import BadSetting


@click.command("conformance")
@click.argument("kind", metavar="KIND|MODULE:CLASS")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The settings of a test system, in TOML or JSON.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; NAME=@FILE reads one.")
@click.option("--secret", "secrets", multiple=True, metavar="NAME=VARIABLE|@FILE|-", help="A secret setting.")
@click.option(
    "--workbench",
    metavar="MODULE:CLASS",
    help="What can do to the system, behind the connector's back, what goes wrong in life.",
)
@as_json
def conformance(
    kind: str,
    config: Path | None,
    settings: tuple[str, ...],
    secrets: tuple[str, ...],
    workbench: str | None,
    as_json: bool,
) -> int:
    """Try a connector on a test system: does it do all that every connector must?

    Makes some hundreds of records there, and changes no others; use a system that is yours to lose. Needs no
    installation. What cannot be brought about without a workbench is told as not applicable, never as passed. Exits
    with 1 when a check failed. The class of --workbench is called with the settings.
    """  # fmt: skip
    tried: Kind = _made(kind) if ":" in kind else kind_named(kind)
    spec = tried.spec()
    configuration = configuration_given(spec, config, settings, secrets)
    refuse_unfit(tried.name, spec, configuration)
    bench = Workbench() if workbench is None else _made(workbench, configuration)
    counted: Counter[str] = Counter()
    documents = []
    for result in suite.run(tried, configuration, bench):
        counted[result.verdict] += 1
        document = {"check": result.name, "verdict": result.verdict, "meaning": result.meaning, "detail": result.detail}
        documents.append(document)
        if not as_json:
            _tell(document)
    untried = [each["check"] for each in documents if each["verdict"] == "not applicable"]
    if as_json:
        emit({"kind": tried.name, "counts": dict(counted), "not_tried": untried, "checks": documents})
    else:
        if untried:
            say("Not tried, and so not known: " + "; ".join(untried) + ".")
        say(", ".join(f"{counted[each]} {each}" for each in ("passed", "failed", "not applicable")) + ".")
    return FINDINGS if counted["failed"] else DONE


def _tell(document: dict[str, str]) -> None:
    why = f": {document['detail']}" if document["detail"] else ""
    say(f"{document['verdict']:<14}  {document['check']}{why}")
    if document["verdict"] == "failed":
        say(f"{'':<14}  {document['meaning']}")


def _made(place: str, *given: Any) -> Any:
    """What a class makes that is named as MODULE:CLASS."""
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise BadSetting(f"There is no {name or 'class'} in {module or 'a module'}; give it as MODULE:CLASS.") from None
    return found(*given)
