"""What a cycle asks before it writes: at the first time after a change, and where far more than usual would change."""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection

from onewriter.customers import questions, systems
from onewriter.customers.questions import Ask, Question
from onewriter.customers.systems import System
from onewriter.errors import UnknownSystem
from onewriter.intake.planning import NEW_RECORDS, Plan, strangers_count
from onewriter.records import DAY, Instant
from onewriter.rules.policy import Policy

FIRST_WRITES = "first writes"
MASS_WRITES = "mass writes"
GO_ON, ALLOW, WAIT = "go on", "allow", "wait"
ASK_AGAIN: Instant = DAY
"""How long a person's `wait` holds against the very same question."""
FIELDS_TOLD = 12
CHANNELS = {"email_consent": "email", "sms_consent": "text messages", "whatsapp_consent": "WhatsApp"}
"""The consents in words."""


def ask(db: Connection, system: System, policy: Policy, plan: Plan, kind: str, now: Instant) -> str:
    """Ask whether a cycle may write what it would; the reason why it has not, for its run."""
    before = questions.newest_of(db, system.shop_id, kind, system.name)
    is_told = before is not None and before.answer == WAIT and now - (before.answered_at or 0) < ASK_AGAIN
    evidence = plan.document() | {"version": policy.version}
    if is_told and before is not None and before.evidence == evidence:
        return f"A person said to wait (question {before.id}); nothing was written."
    strangers = strangers_count(db, system.shop_id, system.name)
    asked = _first(system, plan, strangers, evidence) if kind == FIRST_WRITES else _mass(system, plan, evidence)
    number = questions.ask(db, system.shop_id, asked, now)
    return f"Nothing was written: question {number} waits; `onewriter questions show {number}` tells of it."


def _first(system: System, plan: Plan, strangers: int, evidence: Mapping[str, object]) -> Ask:
    return Ask(
        kind=FIRST_WRITES,
        subject=system.name,
        text=(
            f"{system.name} has not been written by the present rules yet. The first cycle would take "
            f"{_told(plan.takes, plan.empties)} from it, write {_told(plan.sends)} to it, and make "
            f"{plan.makes} records there; {plan.linked} records are linked. "
            f"{_of_nobody(plan, strangers)}{_opted_out(plan)}"
            f"`onewriter systems cycle {system.name} --dry-run` lists each write."
        ),
        answers={
            GO_ON: "write this from now on, and keep what is overwritten, so that it can be taken back",
            WAIT: "write nothing; change the owners or the mapping first",
        },
        otherwise="nothing is written to the system, and nothing is taken from it",
        evidence=dict(evidence),
    )


def _mass(system: System, plan: Plan, evidence: Mapping[str, object]) -> Ask:
    fields = plan.too_many(system.allowed)
    told = ", ".join(f"{count} of {name}" for name, count in list(fields.items())[:FIELDS_TOLD])
    return Ask(
        kind=MASS_WRITES,
        subject=system.name,
        text=(
            f"A cycle of {system.name} would change far more values than usual, of {plan.linked} linked records: "
            f"{told}. An emptied column, a wrong mapping or a mass edit looks like this."
        ),
        answers={
            ALLOW: "let the next cycle change so many values of these fields, once",
            WAIT: "write nothing, and ask again after a day if it is still so",
        },
        otherwise="no cycle of the system writes anything until the number is back to what is usual",
        evidence=dict(evidence) | {"fields": fields},
    )


def _of_nobody(plan: Plan, strangers: int) -> str:
    """Whose record is not known for theirs gets a second one, which nobody wants and nothing takes back."""
    if not (strangers and plan.makes):
        return ""
    told = f"Records that are nobody's by the keys that are mapped: {strangers}"
    return f"{told}; if some of them are customers', map email, phone or shopify_id first, or those get a second one. "


def _opted_out(plan: Plan) -> str:
    counts = Counter(CHANNELS[name] for _customer, name in plan.opted_out)
    if not counts:
        return ""
    told = " and ".join(f"{count} from {channel}" for channel, count in sorted(counts.items()))
    return f"People who have opted out there, and not here: {told}; nobody of them is subscribed again by it. "


def _told(counts: Mapping[str, int], empties: Mapping[str, int] | None = None) -> str:
    if not counts:
        return "nothing"
    empty = sum((empties or {}).values())
    if empty:
        return f"{_told(counts)} ({empty} of them empty: they would empty ours)"
    named = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    told = ", ".join(f"{count} of {name}" for name, count in named[:FIELDS_TOLD])
    return told if len(named) <= FIELDS_TOLD else f"{told} and of {len(named) - FIELDS_TOLD} fields more"


def answer_first(db: Connection, question: Question, now: Instant) -> str:
    """Let a system be written by the rules that the question showed."""
    if question.answer != GO_ON:
        return "noted: nothing is written"
    # Whoever agrees to the first writes has seen how many they are, and is not asked that a second time.
    shown: Counter[str] = Counter(question.evidence["in"]) + Counter(question.evidence["out"])
    shown[NEW_RECORDS] += int(question.evidence["make"])
    return _change(db, question, now, agreed_version=int(question.evidence["version"]), allowed=dict(shown))


def answer_mass(db: Connection, question: Question, now: Instant) -> str:
    """Let the next cycle change as much as the question showed."""
    if question.answer != ALLOW:
        return "noted: nothing is written"
    return _change(db, question, now, allowed=dict(question.evidence["fields"]))


def _change(db: Connection, question: Question, now: Instant, **values: object) -> str:
    try:
        system = systems.get(db, question.shop_id, question.subject)
    except UnknownSystem:
        return "noted, since the system is not connected any more"
    systems.change(db, question.shop_id, system.name, now, due_at=now, **values)
    return f"the next cycle of {system.name} writes it, and begins now"
