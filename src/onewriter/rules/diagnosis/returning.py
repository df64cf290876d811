"""Why a wrong value comes back: who else writes it, or which setting still favours the wrong system (M15, M79)."""

from collections import Counter
from collections.abc import Sequence

from onewriter.rules.diagnosis.evidence import Evidence, Hand, Side
from onewriter.rules.diagnosis.facts import Relation, Row
from onewriter.rules.diagnosis.scope import SHARE_MIN, share
from onewriter.rules.diagnosis.survivor import name_of
from onewriter.rules.policy import ONEWRITER

NAMELESS = "a machine without a name"
_WORDS = {Hand.IMPORT: "an import", Hand.UNKNOWN: NAMELESS}


def returns_because(rows: Sequence[Row], evidence: Evidence) -> str:
    """The sentence that names the other writer, or says that the connector points at the wrong source (M79)."""
    if not rows:
        return "Nothing tells who writes it."
    name, copy = rows[0].rules.name, name_of(evidence, rows[0].origin.other)
    if share(rows, lambda each: each.last_refused is not None) > SHARE_MIN:
        return f"{copy} refuses what is written of {name}, so that it never gets there."
    other = other_writer(rows)
    told = "" if other is None else _told(*other, name, copy, knows_connector=_knows_connector(evidence))
    if other is not None and other[0] not in _WORDS.values():
        return told
    setting = setting_at_fault(rows, evidence)
    if setting is not None or told:
        return setting or told
    if not evidence.writes:
        return (
            f"No log tells who writes it back: look whether another system still writes {name}; if none does, the "
            "connector points at the wrong source."
        )
    return f"Nobody else writes {name} in the log, so the connector points at the wrong source."


def _knows_connector(evidence: Evidence) -> bool:
    """Whether the connector is onewriter, which signs whatever it writes: who is without a name is somebody else."""
    return any(each.writer == ONEWRITER for each in evidence.writes or ())


def _told(writer: str, count: int, name: str, copy: str, *, knows_connector: bool) -> str:
    often = "once" if count == 1 else f"{count:,} times"
    if writer == NAMELESS and knows_connector:
        return f"Besides the connector, somebody or a job in {copy} writes {name} there: {often} in the log."
    if writer == NAMELESS:
        return (
            f"A machine without a name writes {name} in {copy} ({often} in the log): see whether it is the connector."
        )
    return f"Besides the connector, {writer} writes {name} in {copy}: {often} in the log."


def other_writer(rows: Sequence[Row]) -> tuple[str, int] | None:
    """Who writes the copies beside the connector, and how often; of people no name is told, and they are not meant.

    An app goes before a machine without a name, which may be the connector itself, and that before an import.
    """
    found: dict[Hand, Counter[str]] = {}
    for row in rows:
        for change in row.copy_track.changes:
            write = change.write
            if write is not None and write.hand in (Hand.APP, Hand.UNKNOWN, Hand.IMPORT):
                named = write.writer if write.hand is Hand.APP and write.writer else _WORDS.get(write.hand, NAMELESS)
                found.setdefault(write.hand, Counter())[named] += 1
    for hand in (Hand.APP, Hand.UNKNOWN, Hand.IMPORT):
        if hand in found:
            return found[hand].most_common(1)[0]
    return None


def setting_at_fault(rows: Sequence[Row], evidence: Evidence) -> str | None:
    """The setting that favours the wrong system, and which system that is (M15); None where none does."""
    row = rows[0]
    name, origin, copy = row.rules.name, name_of(evidence, row.origin), name_of(evidence, row.origin.other)
    away = "source_to_target" if row.origin is Side.SOURCE else "target_to_source"
    way = row.rules.direction
    if way in ("source_to_target", "target_to_source") and way != away:
        return f"The direction of {name} is from {copy} to {origin}: it favours {copy}, and {origin} should win."
    undone = share(rows, lambda each: each.edit_undone is True) >= SHARE_MIN
    if undone and way == away:
        told = f"The direction of {name} is said to be from {origin} to {copy}, and the connector writes it the other"
        return f"{told} way: its source of truth favours {copy}."
    if undone and way is None:
        told = f"The direction of {name} is not at hand; the connector takes it from {copy}"
        return f"{told}, so its source of truth favours {copy}, and {origin} should win."
    if way == "both":
        return f"The direction of {name} is both ways: it favours whoever wrote last, and {origin} should win."
    emptied = share(rows, lambda each: Relation.EMPTY_COPY in each.relations) >= SHARE_MIN
    if emptied and row.rules.empty == "clear":
        return f"An empty value clears {name}: that setting favours whoever says nothing, and {origin} should win."
    return None
