"""Causes that the past tells: who wrote, in what order, in which run, and what was refused."""

import re

from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, HINT, STRONG, TELLING, Told
from onewriter.rules.diagnosis.evidence import Hand, Write
from onewriter.rules.diagnosis.facts import Relation, Row, Why

FEW = 3
"""So many records somebody changes by hand."""
MANY = 4
"""From so many on it is no one person's slip."""
WITHOUT_LOG = "A log of who wrote would settle it."
PAST_WANTED = "Earlier looks, or a log, would tell how it came to this."
NO_PAST = "{0.n:,} records differed when they were first seen."


def manual_edit(it: Traits) -> Told | None:
    """A person wrote the copy last, and the origin never had that value."""
    person = it.hand(Hand.PERSON)
    foreign = _foreign(it)
    if it.told > 0:
        if person < TELLING:
            return None
        points = STRONG * person - (CLEAR if it.share(_is_stamped_wrong) > TELLING else 0)
        return Told(points, (f"{it.records(person)}: a person wrote it last in {it.copy_name}.",))
    if foreign < TELLING and not _is_unknown(it):
        return None
    points = CLEAR * max(foreign, 0.4) + (HINT if it.n <= FEW else -HINT - HINT * (it.n > 2 * FEW))
    if it.is_logged:
        points -= HINT
    points -= CLEAR * (it.share(_is_altered) > TELLING)
    return Told(points, (f"{it.n:,} records hold what {it.origin_name} never said.",), (WITHOUT_LOG,))


def import_collision(it: Traits) -> Told | None:
    """An import wrote the copy last, with values that are not the origin's."""
    imported = it.hand(Hand.IMPORT)
    stale = it.share(_is_stale)
    if it.told > 0:
        if imported < TELLING:
            return None
        points = STRONG * imported + HINT * (it.run[1] >= TELLING) - CLEAR * stale
        if it.related(Relation.EMPTY_COPY) > TELLING:
            points -= CLEAR
        return Told(points, (f"{it.records(imported)}: an import wrote it last in {it.copy_name}.",))
    foreign = _foreign(it)
    if foreign < TELLING and not _is_unknown(it):
        return None
    points = CLEAR * max(foreign, 0.4) + (HINT if it.n >= MANY else -HINT) + HINT * _is_at_once(it) * (it.n >= MANY)
    points -= CLEAR * (it.share(_is_altered) > TELLING)
    return Told(points, (f"{it.n:,} records hold what {it.origin_name} never said.",), (WITHOUT_LOG,))


def two_writers(it: Traits) -> Told | None:
    """Two machines write the copy, and its value goes to and fro."""
    flips = it.share(lambda row: row.flips > 0)
    app = it.hand(Hand.APP, Hand.UNKNOWN)
    several = it.share(lambda row: len({*row.copy_writers}) > 1 and _machines(row) > 1)
    if flips < 0.3 and several < TELLING:
        return None
    points = CLEAR * flips + CLEAR * several + HINT * app
    if it.related(Relation.EMPTY_COPY) > TELLING and flips < TELLING:
        points -= CLEAR
    if it.share(lambda row: row.edit_undone) > TELLING:
        points -= CLEAR
    if it.share(lambda row: row.order_broken) > TELLING and flips < 1:
        points -= HINT
    if it.hand(Hand.PERSON, Hand.IMPORT) > TELLING:
        points -= CLEAR
    agreed = it.share(lambda row: None if row.rules.writers is None else len(row.rules.writers) > 1)
    points += HINT * agreed
    return Told(points, (f"{it.records(max(flips, several))}: two machines write it by turns in {it.copy_name}.",))


def wrong_direction(it: Traits) -> Told | None:
    """An edit where the value should be made was overwritten with the old value, by the connector."""
    undone = it.share(lambda row: row.edit_undone)
    older = it.share(lambda row: row.origin_is_older if _may_be_undone(row) else None)
    share = max(undone, older if it.reported() > TELLING else 0.0)
    evidence = []
    points = 0.0
    if share > 0.3:
        points = STRONG * share
        evidence.append(f"{it.records(share)}: an edit in {it.origin_name} was taken back.")
    elif it.share(lambda row: row.is_reported) > TELLING:
        points = CLEAR
        evidence.append(f"{it.n:,} values are wrong in both systems, as people say.")
    else:
        return None
    against = it.share(lambda row: _is_against_owner(row, it))
    if against > TELLING:
        points += CLEAR
        evidence.append("The field is carried against the direction that its owner needs.")
    if it.share(_is_stamped_wrong) > 0.3:
        points -= STRONG
    if it.share(lambda row: row.flips > 1) > TELLING and it.hand(Hand.APP) > TELLING:
        points -= CLEAR
    return Told(points, tuple(evidence), () if it.is_logged else (WITHOUT_LOG,))


def stale_out_of_order(it: Traits) -> Told | None:
    """The copy went back to an older value of the origin's after it had held the newer one."""
    broken = it.share(lambda row: row.order_broken)
    back = it.share(lambda row: row.copy_is_older and row.copy_had_it)
    share = max(broken, back)
    if _is_unknown(it):
        return Told(HINT, (NO_PAST.format(it),), (PAST_WANTED,))
    if share < TELLING:
        return None
    points = CLEAR * broken + CLEAR * back + HINT
    if it.share(_is_stamped_wrong) > TELLING:
        points -= CLEAR
    if it.hand(Hand.PERSON, Hand.IMPORT) > TELLING:
        points -= CLEAR
    told = f"{it.records(share)}: {it.copy_name} went back to an older value of {it.origin_name}'s."
    return Told(points, (told,), () if it.is_logged else (WITHOUT_LOG,))


def clock_skew(it: Traits) -> Told | None:
    """The times that the writes bear go against their order."""
    against = it.share(_is_stamped_wrong)
    skew = abs(it.evidence.clock_skew_s or 0) > 60
    if against < 0.3 and not skew:
        return None
    lost = it.share(lambda row: row.edit_undone or (row.copy_had_it is False and row.origin_moved is not None))
    if against < 0.3 and lost < TELLING:
        return None
    points = STRONG * against + CLEAR * skew * lost
    if _is_young(it):
        points -= STRONG
    evidence = [f"{it.records(against)}: the times of the writes go against the order in which they came."]
    if skew:
        evidence.append(f"The clocks of both systems are {abs(it.evidence.clock_skew_s or 0):,.0f} seconds apart.")
    return Told(points, tuple(evidence))


def missed_webhook(it: Traits) -> Told | None:
    """The origin moved on, and nothing was written: neither taken nor refused."""
    stale = it.share(_is_stale)
    if _is_unknown(it):
        return Told(HINT + HINT * (it.n <= FEW), (NO_PAST.format(it),), (PAST_WANTED,))
    if stale < TELLING or _is_young(it):
        return None
    refused = it.share(lambda row: bool(row.last_refused))
    points = CLEAR + HINT * (it.reach < 0.5) + HINT * (it.is_logged and refused == 0)
    if refused > 0.3:
        points -= STRONG
    if _is_stopped(it):
        points -= CLEAR
    if _cut(it) or _has_partial(it):
        points -= CLEAR
    points -= CLEAR * (it.of_pairs(lambda pair: bool(pair.twins)) > TELLING)
    return Told(
        points, (f"{it.records(stale)}: {it.origin_name} moved on, and nothing was written in {it.copy_name}.",)
    )


def partial_import(it: Traits) -> Told | None:
    """A run stopped in the middle: what comes after a cut is stale."""
    stale = it.share(_is_stale)
    empty = it.related(Relation.EMPTY_COPY)
    if max(stale, empty) < TELLING and not _is_unknown(it):
        return None
    cut, partial = _cut(it), _has_partial(it)
    if not cut and not partial:
        return None
    points = CLEAR * cut + CLEAR * partial + HINT * (it.n >= MANY)
    if it.share(lambda row: bool(row.last_refused)) > 0.3:
        points -= STRONG
    evidence = []
    if partial:
        evidence.append("A run ended before it was done.")
    if cut:
        evidence.append(f"The {it.n:,} records that are behind follow one another; those before the cut are right.")
    return Told(points, tuple(evidence), () if partial else ("A list of runs would tell which one broke off.",))


def permission_missing(it: Traits) -> Told | None:
    """Every write of the field is refused."""
    refused = it.share(lambda row: _may_be_of_rights(row.last_refused) if it.is_logged else None)
    denied = it.share(lambda row: None if row.rules.permission is None else row.rules.permission in ("read", "none"))
    stale = it.share(lambda row: row.copy_is_older) + it.related(Relation.EMPTY_COPY) * (not it.is_dated)
    if refused < 0.3 and denied < TELLING and not (not it.is_logged and stale > TELLING and not _is_young(it)):
        return None
    points = CLEAR * (refused >= 0.3) + CLEAR * refused + STRONG * denied
    evidence = []
    if refused:
        evidence.append(f"{it.records(refused)}: the newest write of {it.copy_name} was refused.")
    if denied:
        evidence.append(f"The connector has no right to write {it.field} there.")
    if not evidence:
        points = HINT + HINT * (it.reach > 0.5) + CLEAR * _is_stopped(it)
        evidence.append(f"{it.n:,} records are behind.")
    return Told(points, tuple(evidence), () if it.is_logged else (WITHOUT_LOG,))


def null_overwrite(it: Traits) -> Told | None:
    """The copy was emptied by a machine."""
    empty = it.related(Relation.EMPTY_COPY)
    was = it.share(lambda row: row.copy_was_filled or row.copy_had_it)
    if empty < TELLING or (it.is_dated and was < TELLING):
        return None
    if not it.is_dated:
        filled = it.counts.copy_filled / max(1, it.counts.origin_filled)
        points = CLEAR if filled > 0.05 else HINT
        return Told(
            points,
            (f"{it.records(empty)}: {it.copy_name} is empty.",),
            ("Earlier looks would tell whether it was filled.",),
        )
    points = STRONG * was + HINT - CLEAR * it.hand(Hand.PERSON)
    return Told(points, (f"{it.records(was)}: {it.copy_name} was filled, and was emptied.",))


def in_flight(it: Traits) -> Told | None:
    """The origin's edit is younger than a cycle."""
    if not _is_young(it):
        return None
    return Told(STRONG, (f"All {it.n:,} edits are younger than one cycle.",))


_TAKEN = re.compile(r"already|duplicate|unique|taken", re.IGNORECASE)


def _may_be_of_rights(write: Write | None) -> bool:
    """Whether a refusal may be for want of a right: not one because another record has the value, which is identity."""
    return write is not None and not (write.reason and _TAKEN.search(write.reason))


def _may_be_undone(row: Row) -> bool:
    """Whether an edit of the origin may have been taken back though both sides agree: people say that it is wrong, or
    nothing tells that it never was. Otherwise, that the copy once had another value says nothing.
    """
    return row.why is not Why.DIFFERS and (row.is_reported or row.edit_undone is not False)


def _is_altered(row: Row) -> bool | None:
    """Whether the last that the log knows of the copy is that the connector wrote the right value: the system itself
    has made another one of it. None where the log knows no write of it.
    """
    told = [each for each in row.copy_track.changes if each.write is not None]
    if not told:
        return None
    last = told[-1]
    assert last.write is not None
    return last.write.hand is Hand.CONNECTOR and last.value == row.origin_value


def _is_unknown(it: Traits) -> bool:
    """Whether nothing tells how the rows came to differ: they did when they were first seen, and look like nothing."""
    unlike = it.related(Relation.OTHER_VALUE) + it.related(Relation.OTHER_RECORD)
    return not it.is_dated and it.told == 0 and unlike > TELLING


def _is_stopped(it: Traits) -> bool:
    """Whether nobody's copy of the field has followed since the first of several differed."""
    return it.n > FEW and it.others_follow is False


def _is_young(it: Traits) -> bool:
    """Whether the rows only wait for the next cycle: edited since the last one, and the copy says what was before."""
    return it.share(waits) >= TELLING


def waits(row: Row) -> bool | None:
    """Whether a row only waits for the next cycle."""
    if row.age is None:
        return None
    moved = row.copy_moved is not None and row.origin_moved is not None and row.copy_moved > row.origin_moved
    return row.age < 1 and not moved and row.last_refused is None


def _is_stale(row: Row) -> bool | None:
    """The copy says what the origin said before, and never anything newer."""
    if row.copy_is_older is None:
        return None
    return row.copy_is_older and not row.copy_had_it


def _foreign(it: Traits) -> float:
    """The share of the rows whose copy moved to what the origin never said, and was in step before."""
    return it.share(lambda row: None if row.copy_is_older is None else not row.copy_is_older and bool(row.copy_had_it))


def _is_stamped_wrong(row: Row) -> bool | None:
    return row.stamp_against_order


def _machines(row: Row) -> int:
    hands = {
        (change.write.hand, change.write.writer)
        for change in row.copy_track.changes
        if change.write is not None and change.write.hand.is_machine
    }
    return len(hands)


def _is_against_owner(row: Row, it: Traits) -> bool | None:
    ways = {it.evidence.source: "target_to_source", it.evidence.target: "source_to_target"}
    if row.rules.owner not in ways or row.rules.direction is None:
        return None
    return row.rules.direction == ways[str(row.rules.owner)]


def _is_at_once(it: Traits) -> bool:
    onsets = [int(row.onset) for row in it.rows if row.onset is not None]
    return bool(onsets) and max(map(onsets.count, set(onsets))) / len(onsets) > 0.8


def _has_partial(it: Traits) -> bool:
    runs = it.evidence.runs or {}
    return any(run.state in ("partial", "failed") and run.kind in ("import", "backfill") for run in runs.values())


def _cut(it: Traits) -> bool:
    """Whether the wrong ones follow one another at one end of all that were compared, and are not nearly all."""
    wrong = {row.pair.link.source for row in it.rows}
    # Where only what differs was opened, or links were guessed by keys, nobody sees what comes before the wrong ones.
    if it.evidence.links is None or it.evidence.clean or len(wrong) < MANY or it.reach > 0.95:
        return False
    every = sorted({link.source for link in it.evidence.links or ()} | wrong, key=_order)
    places = [place for place, each in enumerate(every) if each in wrong]
    span = places[-1] - places[0] + 1
    at_end = len(every) - places[-1] <= max(1, len(every) * 0.03)
    return len(wrong) / span > 0.85 and at_end


def _order(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdigit() else (1, len(name), name)
