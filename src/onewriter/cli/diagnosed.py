"""A diagnosis as it is told: one document for machines, and one screen a case for people.

Records are named by their ids of the source, and by nothing else of theirs.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from onewriter.cli.output import plain, say, table
from onewriter.rules import constraints
from onewriter.rules.diagnosis.evidence import Evidence
from onewriter.rules.diagnosis.judgement import CaseOf, Hypothesis, ScopeRow

if TYPE_CHECKING:
    from onewriter.rules.diagnosis.diagnosing import Diagnosis

SHOWN_MAX = 20
"""Records that people see of one case; --json has them all."""
CAUSES_MAX = 3
SURE_MAX = 0.99
WIDTH = 100
CAUSES_PAGE = "docs/causes.md"

Document = dict[str, Any]


def document_of(found: "Diagnosis", evidence: Evidence, number: int | None = None) -> Document:
    """The whole diagnosis, or one case of it."""
    cases = [case_document(case, place) for place, case in enumerate(found.cases, 1) if number in (None, place)]
    bound = constraints.boundary(found.constraints)
    return {
        "source": evidence.source,
        "target": evidence.target,
        "constraints": [
            {
                "check": each.name, "outcome": each.outcome.value, "fields": list(each.fields),
                "evidence": list(each.evidence),
            }
            for each in found.constraints
        ],
        "begin_at": list(bound.begin_at),
        "phantoms": found.phantoms,
        "undecidable": found.undecidable,
        "known": asdict(found.known),
        "cases": cases,
    }  # fmt: skip


def case_document(case: CaseOf, number: int) -> Document:
    """One case."""
    group, advice = case.group, case.advice
    return {
        "number": number,
        "field": group.name,
        "fields": list(group.fields),
        "systems": list(case.systems),
        "records": list(case.records),
        "scope_row": case.scope_row.value,
        "scope": case.scope,
        "identity": case.identity,
        "owner": case.owner,
        "write_order": case.write_order,
        "causes": [_cause(each) for each in group.causes],
        "asserted": group.asserted,
        "fix_target": advice.fix_target.value,
        "first_move": advice.first_move,
        "not_to_do": advice.not_to_do,
        "action": advice.action,
        "may_write": advice.may_write,
        "broad": advice.broad,
        "predicted_survivor": case.survivor.side,
        "survivor_why": case.survivor.why,
        "confidence": case.confidence,
        "evidence_had": asdict(case.evidence_had),
        "checklist": [asdict(item) | {"answer": item.answer.value} for item in case.checklist],
        "import_split": case.import_split,
        "affected": dict(case.affected),
    }  # fmt: skip


def _cause(each: Hypothesis) -> Document:
    return {
        "cause": each.cause, "weight": round(each.weight, 4), "evidence": list(each.evidence),
        "missing": list(each.missing),
    }  # fmt: skip


# ---- For people -----------------------------------------------------------------------------------------------------


def tell_all(document: Mapping[str, Any]) -> None:
    """The boundary, the counts, and the cases: one as its screen, several as a list."""
    for each in document["constraints"]:
        first, *rest = each["evidence"]
        say(f"{each['outcome']:<7}  {each['check']:<11}  {plain(first)}")
        for line in rest:
            say(f"{'':22}{plain(line)}")
    if document["begin_at"]:
        say()
        _line("Begin at the boundary", ", ".join(document["begin_at"]))
    say()
    say(_counts(document))
    cases = real(document)
    if len(cases) == 1:
        say()
        tell_one(cases[0])
    elif cases:
        say()
        rows = [
            (case["number"], case["field"], len(case["records"]), _likeliest(case), case["first_move"])
            for case in cases
        ]
        table(("CASE", "FIELD", "CUSTOMERS", "WHY", "FIRST MOVE"), rows)
        say()
        say("--case N shows one of them with its evidence and what not to do.")


def sureness(weight: float) -> str:
    """How sure a cause is, in words: nothing is ever quite sure."""
    return "over 99%" if weight > SURE_MAX else f"{weight:.0%}"


def real(document: Mapping[str, Any]) -> list[Document]:
    """The cases of what differs for real: what differs in form only is counted, and is no case of anybody's (M67)."""
    return [case for case in document["cases"] if case["scope_row"] != ScopeRow.PHANTOM.value]


def _counts(document: Mapping[str, Any]) -> str:
    cases = len(real(document))
    told = "Nothing to look at" if not cases else "One case" if cases == 1 else f"{cases} cases"
    lacks = [name for name, has in document["known"].items() if not has]
    counts = (
        f"{told} between {plain(document['source'])} and {plain(document['target'])}. "
        f"{document['phantoms']:,} values differ in form only, of {document['undecidable']:,} nobody can say."
    )
    return f"{counts} Not there: {', '.join(lacks)}." if lacks else counts


def tell_one(case: Mapping[str, Any]) -> None:
    """One case on one screen: what, how many, why and how sure, what to do and what not, and then the evidence."""
    say(f"Case {case['number']}: {', '.join(map(plain, case['fields']))}, {' and '.join(map(plain, case['systems']))}")
    _line("How many", case["scope"])
    _line("Why", _likeliest(case))
    for name in ("identity", "owner", "write_order"):
        _line("", case[name])
    if case["import_split"]:
        _line("", case["import_split"])
    _line("First move", case["first_move"])
    _line("Not to do", case["not_to_do"])
    _line("Next cycle", f"{case['predicted_survivor'] or 'nobody can say who stays'}: {case['survivor_why']}")
    _line("Customers", _some(case["records"]))
    say()
    for cause in case["causes"][:CAUSES_MAX]:
        say(f"{cause['cause']}  {sureness(cause['weight'])}")
        for line in cause["evidence"]:
            _line("", line)
        for line in cause["missing"]:
            _line("", f"Not there: {line}")
    say(f"What each cause means: {CAUSES_PAGE}.")


def _likeliest(case: Mapping[str, Any]) -> str:
    """The first cause, with how sure; where it is not asserted, the two between which nobody can tell."""
    named = [f"{cause['cause']} ({sureness(cause['weight'])})" for cause in case["causes"]]
    if not named:
        return "not known"
    if case["asserted"]:
        sure = "" if case["confidence"] == "full" else ", with lowered confidence: the log does not prove who wrote"
        return f"{named[0]}{sure}"
    return f"not sure: {' or '.join(named[:2])}"


def _some(records: Sequence[str]) -> str:
    shown = ", ".join(map(plain, records[:SHOWN_MAX]))
    return shown if len(records) <= SHOWN_MAX else f"{shown} and {len(records) - SHOWN_MAX:,} more"


def _line(label: str, told: str) -> None:
    """A label and what it says, folded so that it stands under itself."""
    first = f"  {label}:" if label else ""
    for line in textwrap.wrap(plain(told), WIDTH - 16) or [""]:
        say(f"{first:<16}{line}" if len(first) < 16 else f"{first} {line}")
        first = ""
