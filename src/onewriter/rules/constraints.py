"""The constraint check: six looks at the boundary between a shop and a system, before anybody looks at single records.

Where a field goes the wrong way, is linked by a poor key, is not carried, or may not be written, each of its records is
wrong for that one reason, and to begin with a record is to begin at the wrong end (requirement M41). Each look answers
pass, fail or unknown, and unknown is never guessed away. The rules know no platform: whoever has the evidence, out of a
database or of files, fills it in (`rules.evidence`), and leaves None what nobody knows.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from onewriter.records import DAY, SHOPIFY, Instant
from onewriter.rules.evidence import Boundary, Check, Evidence, FieldEvidence, KeyEvidence, Outcome
from onewriter.rules.policy import CONSENTS, MANUAL, Direction
from onewriter.rules.tags import is_tags

DIRECTION, MATCH_KEY, COVERAGE = "direction", "match key", "coverage"
FORMATTING, PERMISSIONS, LOGGING = "formatting", "permissions", "logging"
ENDING = (DIRECTION, MATCH_KEY, COVERAGE, PERMISSIONS)
"""What ends a diagnosis where it fails: no record can be right before that is."""

READ = (Direction.IN, Direction.BOTH)
WRITTEN = (Direction.OUT, Direction.BOTH)
CARRIED = (Direction.IN, Direction.OUT, Direction.BOTH)

REVIEW_MAX = 0.05
"""The share of records that may wait for a person before the key is called a poor one."""
REVIEW_MIN = 5
"""Fewer that wait say nothing of the key."""
LINKED_MIN = 0.5
"""With a smaller share of records linked, nobody can say whether the key misses them or the shop has not got them."""
CHURN_MAX = 0.05
"""The share of customers whose key may change in a week."""
UNTOLD_MAX = 0.05
"""The share of writes without a writer, and of changes without a line, that a log may have and still be evidence."""
NAMED_MAX = 6
"""So many fields are named in one line of evidence."""

_RIGHTS = re.compile(
    r"permission|\bthe right\b|\bscope\b|cannot be written|lets nobody write|is only read|does not show"
)


def checks(known: Evidence) -> tuple[Check, ...]:
    """The six looks, in their order."""
    looks: tuple[Callable[[Evidence], Check], ...] = (
        direction, match_key, coverage, formatting, permissions, logging,
    )  # fmt: skip
    return tuple(look(known) for look in looks)


def boundary(found: Iterable[Check], name: str | None = None) -> Boundary:
    """Whether the diagnosis of a field, or of all of them, ends here (M41), and how sure one can be of it (M47)."""
    known = list(found)
    ends = [
        each.name
        for each in known
        if each.name in ENDING
        and each.outcome is Outcome.FAIL
        and (name is None or not each.fields or name in each.fields)
    ]
    is_logged = any(each.name == LOGGING and each.outcome is Outcome.PASS for each in known)
    return Boundary("boundary" if ends else None, tuple(ends), "full" if is_logged else "lowered")


def is_of_rights(reason: str) -> bool:
    """Whether a refusal is for want of a right, by the words that connectors have for it."""
    return _RIGHTS.search(reason) is not None


# ---- Direction (M42) ------------------------------------------------------------------------------------------------


def direction(known: Evidence) -> Check:
    """Whether each mapped field goes the way that its owner needs."""
    system = known.system
    mapped = [each for each in known.concerned if each.is_told and (each.direction is not None or each.owner == system)]
    untold = [each.name for each in known.concerned if not each.is_told]
    if known.fields is None or (untold and not mapped):
        return Check(DIRECTION, Outcome.UNKNOWN, ("Nobody said who owns the fields, or which way they go.",))
    if not mapped:
        return Check(DIRECTION, Outcome.UNKNOWN, (f"Nothing of it is mapped to {system}, so it goes no way yet.",))
    wrong = {each.name: told for each in mapped if (told := _wrong_way(system, each)) is not None}
    edits = [
        f"{system} changed {each.name} by itself {_times(each.refused_edits)}, and does not own it."
        for each in mapped
        if each.refused_edits
    ]
    if wrong:
        return Check(DIRECTION, Outcome.FAIL, (*wrong.values(), *edits), tuple(wrong))
    if untold:
        doubt = f"Nobody said who owns {_some(untold)}, or which way it goes."
        return Check(DIRECTION, Outcome.UNKNOWN, (doubt, *edits))
    ways = ", ".join(
        f"{count} {way.value}" for way in Direction if (count := sum(each.direction is way for each in mapped))
    )
    return Check(DIRECTION, Outcome.PASS, (f"{_fields(len(mapped))} as the owners need: {ways}.", *edits))


def _wrong_way(system: str, each: FieldEvidence) -> str | None:
    """Why a field goes the wrong way; None if it does not."""
    name, way = each.name, each.direction
    if each.owner is None:
        return f"Nobody is written down as the owner of {name}."
    if way is Direction.BOTH and (system not in each.writers or len(each.writers) < 2):
        return f"{name} goes both ways with {system}, and nobody agreed that two may write it."
    if each.owner == system and way is None:
        return f"{system} owns {name} and is not asked for it: it is not mapped."
    if each.owner == system and way not in READ:
        return f"{system} owns {name}, and what it says is not taken up: it is mapped {_way(way)}."
    if each.owner != system and way is Direction.IN:
        return f"{system} is asked for {name} as if it were its own, and {each.owner} owns it."
    if each.owner != MANUAL and not each.owner_is_asked:
        return f"{each.owner} owns {name}, and nobody asks it."
    return None


def _way(way: Direction | None) -> str:
    return "none" if way is None else way.value


# ---- Match key (M43) ------------------------------------------------------------------------------------------------


def match_key(known: Evidence) -> Check:
    """Whether records find their customers by keys that hold."""
    told, system = known.keys, known.system
    if told is None:
        return Check(MATCH_KEY, Outcome.UNKNOWN, ("Nobody said by what records are linked.",))
    wrong = [*_poor_keys(told, system), *_poor_links(told, system)]
    by = ", ".join(f"{count:,} by {key}" for key, count in sorted(told.by.items(), key=lambda one: (-one[1], one[0])))
    counts = (
        f"Keys: {', '.join(told.keys) or 'none'}. {told.records:,} records: {told.linked:,} linked"
        f"{f' ({by})' if by else ''}, {told.review:,} wait for a person, "
        f"{max(0, told.records - told.linked - told.review):,} nobody's, {told.apart:,} taken apart by people."
    )
    if wrong:
        return Check(MATCH_KEY, Outcome.FAIL, (*wrong, counts))
    if not told.records:
        return Check(MATCH_KEY, Outcome.UNKNOWN, (f"No record of {system} has been read yet.", counts))
    if told.linked / told.records < LINKED_MIN:
        doubt = f"Most records are nobody's: either the key misses them, or {known.home} has not got these people."
        return Check(MATCH_KEY, Outcome.UNKNOWN, (doubt, counts))
    return Check(MATCH_KEY, Outcome.PASS, (counts,))


def _poor_keys(told: KeyEvidence, system: str) -> list[str]:
    wrong = []
    if not told.keys:
        wrong.append("There is no key of identity, so that no record finds its customer.")
    named = sorted(key for key in {*told.keys, *told.by} if "name" in key.lower())
    wrong += [f"{key} is a key, and a name tells nobody apart." for key in named]
    if told.keys and not told.mapped:
        wrong.append(f"{system} has no field that is mapped to {_or(told.keys)}, so that no record finds its customer.")
    used = {*told.mapped, *told.by}
    wrong += [
        f"{key} changes for {share:.1%} of the customers a week, too often for a key."
        for key, share in sorted(told.churn.items())
        if key in used and share > CHURN_MAX
    ]
    return wrong


def _poor_links(told: KeyEvidence, system: str) -> list[str]:
    if told.records and not told.linked:
        return [f"None of the {told.records:,} records of {system} is linked to a customer."]
    if told.records and told.review >= REVIEW_MIN and told.review / told.records > REVIEW_MAX:
        return [f"{told.review / told.records:.1%} of the records wait for a person: the key does not tell them apart."]
    return []


# ---- Coverage (M44) -------------------------------------------------------------------------------------------------


def coverage(known: Evidence) -> Check:
    """Whether what is needed is carried at all; tags, notes and consents are named one by one."""
    system = known.system
    if known.fields is None:
        return Check(COVERAGE, Outcome.UNKNOWN, (f"Nobody said what is carried between {known.home} and {system}.",))
    carried = [each for each in known.concerned if each.direction in CARRIED]
    wrong = {each.name: told for each in known.concerned if (told := _uncovered(known, each)) is not None}
    lines = [*_left_out(known), *_free(known)]
    if wrong:
        return Check(COVERAGE, Outcome.FAIL, (*wrong.values(), *lines), tuple(wrong))
    if not carried and all(each.is_told for each in known.concerned):
        return Check(COVERAGE, Outcome.FAIL, (f"No field is carried between {known.home} and {system}.", *lines))
    if not carried or any(each.is_there is None for each in carried):
        doubt = f"{system} was not asked what fields it has"
        doubt += f"; `onewriter systems check {system}` asks it." if known.is_there_to_ask else "."
        return Check(COVERAGE, Outcome.UNKNOWN, (doubt, *lines))
    names = _some([each.name for each in carried])
    return Check(COVERAGE, Outcome.PASS, (f"Carried: {names}.", *lines))


def _uncovered(known: Evidence, each: FieldEvidence) -> str | None:
    """Why a field does not get across; of what nobody asked about, only what is mapped to nothing."""
    name, system = each.name, known.system
    if each.direction is not None and each.is_there is False:
        return f"{name} is mapped to {each.remote}, and {system} has no such field that we may see."
    if known.asked is None and not each.is_needed:
        return None
    if each.direction is None:
        return f"{name} is not mapped to {system}."
    if each.direction is Direction.NONE:
        return f"{name} is compared with {system} and never written: it is mapped none."
    if not each.reaches_shop:
        return f"{name} comes from {system} and goes no further: nobody mapped it to {SHOPIFY}."
    unfit = [one for one in each.parked if one.direction == "out" and not is_of_rights(one.reason)]
    if unfit:
        return f"{sum(one.count for one in unfit):,} values of {name} do not fit in {system}: {unfit[0].reason}."
    return None


def _left_out(known: Evidence) -> list[str]:
    """The fields of the shop that are not carried, in question or not."""
    left = [each.name for each in known.fields or () if each.is_told and each.direction not in CARRIED]
    if not left or known.asked is not None:
        return []
    watched = [name for name in left if is_tags(name) or name == "note" or name in CONSENTS]
    others = len(left) - len(watched)
    told = [*watched, *([f"{others} more of {known.home}'s"] if others else [])]
    return [f"Not carried: {', '.join(told)}."]


def _free(known: Evidence) -> list[str]:
    if not known.free:
        return []
    return [f"Fields of {known.system} that nobody mapped: {_some(known.free)}."]


# ---- Formatting (M45) -----------------------------------------------------------------------------------------------


def formatting(known: Evidence) -> Check:
    """Whether the same value becomes the same, whichever way it comes."""
    tried = [each for each in known.concerned if each.forms]
    if not tried:
        return Check(FORMATTING, Outcome.UNKNOWN, ("No field was tried of which there is a sample.",))
    paths = sorted({path for each in tried for path in each.forms})
    wrong, doubt = {}, []
    for each in tried:
        forms = {form for form in each.forms.values() if form is not None}
        silent = sorted(path for path, form in each.forms.items() if form is None)
        if len(forms) > 1:
            wrong[each.name] = (
                f"One {each.name} becomes {len(forms)} values by different paths: {_by_form(each.forms)}."
            )
        elif silent:
            doubt.append(f"Nothing is made of a sample of {each.name} by: {', '.join(silent)}.")
    if wrong:
        return Check(FORMATTING, Outcome.FAIL, (*wrong.values(), *doubt), tuple(wrong))
    if doubt:
        return Check(FORMATTING, Outcome.UNKNOWN, tuple(doubt))
    told = f"One sample of {_some([each.name for each in tried])} is the same by each path: {', '.join(paths)}."
    return Check(FORMATTING, Outcome.PASS, (told,))


def _by_form(forms: Mapping[str, str | None]) -> str:
    """The paths, those that agree side by side."""
    grouped: dict[str, list[str]] = {}
    for path, form in sorted(forms.items()):
        if form is not None:
            grouped.setdefault(form, []).append(path)
    return " / ".join(" and ".join(paths) for paths in grouped.values())


# ---- Permissions (M46, M48) -----------------------------------------------------------------------------------------


def permissions(known: Evidence) -> Check:
    """Whether the system lets us write what it is to be told; only a write tells that for certain."""
    system = known.system
    told = [each for each in known.concerned if each.direction in WRITTEN or each.written_in is not None]
    wrong = {each.name: why for each in told if (why := _denied(each.written_in or system, each)) is not None}
    scopes = [f"The shop does not grant {scope}." for scope in known.scopes_missing]
    waits = _parked(known)
    if wrong or scopes:
        return Check(
            PERMISSIONS, Outcome.FAIL, (*scopes, *wrong.values(), *waits), () if scopes else tuple(wrong)
        )  # fmt: skip
    if known.fields is None or (not told and not all(each.is_told for each in known.concerned)):
        return Check(PERMISSIONS, Outcome.UNKNOWN, (f"Nobody said what may be written to {system}.", *waits))
    if not told:
        return Check(PERMISSIONS, Outcome.PASS, (f"Nothing of it is written to {system}.", *waits))
    untried = [each.name for each in told if each.tried_at is None or each.tried_refusal is not None]
    if untried:
        taken = sum(each.taken_at is not None for each in told)
        doubt = f"Not tried: {_some(untried)}. {system} has lately taken writes of {taken} of {len(told)} fields" + (
            f"; `onewriter audit check --system {system} --try CUSTOMER` writes back what stands there."
            if known.is_there_to_ask
            else "."
        )
        return Check(PERMISSIONS, Outcome.UNKNOWN, (doubt, *waits))
    oldest = min(each.tried_at for each in told if each.tried_at is not None)
    tried = f"{_some([each.name for each in told])} were tried and taken, {_age(known.now - oldest)} ago at most."
    return Check(PERMISSIONS, Outcome.PASS, (tried, *waits))


def _denied(system: str, each: FieldEvidence) -> str | None:
    """Why a field may not be written; what it took since counts for more than what it refused before."""
    taken_at = max(each.taken_at or 0, 0 if each.tried_refusal is not None else each.tried_at or 0)
    if each.tried_refusal is not None and (each.tried_at or 0) >= taken_at:
        return f"{system} refused {each.name} when it was tried: {each.tried_refusal}."
    if each.may_be_written is False:
        return f"{system} says of {each.remote} itself that we may not write it ({each.name})."
    if each.denied and (each.denied_at or 0) > taken_at:
        return f"{system} refused {each.name} {_times(each.denied)} for want of a right, and has taken none since."
    return None


def _parked(known: Evidence) -> list[str]:
    """What waits because it had nowhere to go, with its age (M48)."""
    words = {"in": "said by {system}, which may not", "out": "which {system} does not take"}
    return [
        f"Parked: {one.count:,} of {each.name}, {words[one.direction].format(system=known.system)} ({one.reason}); "
        f"the oldest for {_age(known.now - one.since)}."
        for each in known.concerned
        for one in each.parked
    ]


# ---- Logging (M47) --------------------------------------------------------------------------------------------------


def logging(known: Evidence) -> Check:
    """Whether the log is complete enough to say who wrote what."""
    told, system = known.log, known.system
    if told is None:
        return Check(LOGGING, Outcome.UNKNOWN, ("There is no log: the pattern of the records is the only evidence.",))
    wrong = [] if told.trouble is None else [f"The newest cycle of {system} did not end: {told.trouble}"]
    if told.lines and told.nameless / told.lines > UNTOLD_MAX:
        wrong.append(f"{told.nameless:,} of {told.lines:,} writes do not tell who wrote.")
    if told.changed and told.unexplained / told.changed > UNTOLD_MAX:
        wrong.append(f"{told.unexplained:,} of {told.changed:,} changed records changed without a line of the log.")
    whose = f" of {system}" if known.is_there_to_ask else ""
    counts = (
        f"{told.lines:,} lines{whose}, {told.nameless:,} of them without a writer; {told.changed:,} records have "
        f"changed since they were linked, {told.unexplained:,} of them unexplained; {told.unfinished:,} cycles failed."
    )
    if wrong:
        return Check(LOGGING, Outcome.FAIL, (*wrong, counts))
    if told.complete_at is None:
        return Check(LOGGING, Outcome.UNKNOWN, (f"No cycle of {system} has been completed yet.", counts))
    if told.began_at is None or told.began_at > told.complete_at:
        return Check(LOGGING, Outcome.UNKNOWN, ("The log is younger than one cycle.", counts))
    return Check(LOGGING, Outcome.PASS, (counts,))


# ---- Words ----------------------------------------------------------------------------------------------------------


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_MAX])
    return shown if len(names) <= NAMED_MAX else f"{shown} and {len(names) - NAMED_MAX} more"


def _or(names: Sequence[str]) -> str:
    return " or ".join(names)


def _fields(count: int) -> str:
    return "One field goes" if count == 1 else f"{count} fields go"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _age(span: Instant) -> str:
    days = max(0, span) // DAY
    return "less than a day" if days == 0 else "a day" if days == 1 else f"{days} days"
