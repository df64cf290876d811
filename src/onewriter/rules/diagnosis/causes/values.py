"""Causes that the values themselves tell: a mapping, a transform, a limit, a type, an encoding, a default."""

from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, CONCLUSIVE, HINT, STRONG, TELLING, Told, told
from onewriter.rules.diagnosis.causes.writers import waits
from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import Relation
from onewriter.rules.transforms import TRANSFORMS

SHARED_MIN = 2
STEADY_MIN = 4
"""In fewer records the same word may become the same other word by chance."""
RARE = 0.1
"""One record alone, of many with the same field, is alike by chance rather than by rule."""
FEW_WORDS = 12
"""A field with more different values than this is no list of words."""


def mapping_wrong_target(it: Traits) -> Told | None:
    """The copy holds another field of the same customer."""
    name, share = it.detail(Relation.OTHER_FIELD)
    if share < TELLING:
        return None
    return told(CONCLUSIVE * share, f"{it.records(share)}: what {it.copy_name} holds is the customer's {name}.")


def transform_lossy(it: Traits) -> Told | None:
    """The copy is a known function of the origin that loses something."""
    name, share = it.detail(Relation.LOSSY)
    cut, is_cut = it.detail(Relation.PREFIX)
    begins = it.related(Relation.PREFIX)
    if share < TELLING and begins >= TELLING > is_cut and it.n >= SHARED_MIN:
        # Cut at one length it is a limit; at different ones somebody took the first words of it.
        name, share = "only its beginning, of different lengths", begins
    if share < TELLING:
        return None
    points = STRONG * share
    evidence = [
        f"{it.records(share)}: what {it.copy_name} holds is {it.origin_name}'s value with a part lost ({name})."
    ]
    configured = _transform(it)
    if configured in TRANSFORMS and TRANSFORMS[configured].lossy:
        points += CLEAR
        evidence.append(f"The mapping names the transform {configured}, which loses a part.")
    elif is_cut > share and cut is not None:
        points -= CLEAR
    if it.n < SHARED_MIN and it.reach < RARE:
        points -= CLEAR
    return Told(points, tuple(evidence))


def format_only(it: Traits) -> Told | None:
    """They say the same, and are written otherwise."""
    if not it.is_form():
        return None
    return told(CONCLUSIVE, f"All {it.n:,} values say the same on both sides, and are written otherwise.")


def truncation(it: Traits) -> Told | None:
    """The copy is cut at a constant length."""
    length, share = it.detail(Relation.PREFIX)
    if share < TELLING or length is None:
        return None
    lossy = it.related(Relation.LOSSY)
    points = STRONG * share - (CLEAR * lossy if lossy > share else 0)
    evidence = [f"{it.records(share)}: what {it.copy_name} holds is cut at {length} characters."]
    limits = {row.rules.max_length for row in it.rows} - {None}
    if length.isdigit() and limits == {int(length)}:
        points += CLEAR
        evidence.append(f"The mapping has that limit: {length} characters.")
    if it.n < SHARED_MIN:
        points -= CLEAR
    return Told(points, tuple(evidence))


def type_enum_coercion(it: Traits) -> Told | None:
    """Zeros are lost, or words of a list fall into a bucket."""
    number = it.related(Relation.ZEROS_LOST) + it.related(Relation.NUMBER)
    if number >= TELLING:
        return told(CONCLUSIVE * min(1.0, number), f"{it.records(number)}: {it.copy_name} made a number of a text.")
    kind = {row.rules.kind for row in it.rows}
    steady = max(it.paired, it.constant if it.origins <= FEW_WORDS else 0.0)
    if (
        steady < TELLING
        or it.n < STEADY_MIN
        or it.share(waits) >= TELLING
        or it.is_open_ended
        or "consent" in kind
        or _is_explained(it)
    ):
        return None
    points = CLEAR + HINT * (it.counts.equal > 0) + HINT * (it.told == 0 or (it.told > 0 and _by_connector(it)))
    return told(points, f"{it.records(steady)}: the same word always becomes the same other word in {it.copy_name}.")


def timezone_locale(it: Traits) -> Told | None:
    """Dates are off by a day, or day and month are exchanged."""
    share = it.share(lambda row: bool({Relation.DAY_SHIFT, Relation.DAY_MONTH} & {*row.relations}))
    if share < TELLING:
        return None
    return told(CONCLUSIVE * share, f"{it.records(share)}: the dates differ by a day, by hours, or by their order.")


def encoding_mojibake(it: Traits) -> Told | None:
    """The copy was read in the wrong encoding."""
    share = it.related(Relation.MOJIBAKE)
    if share < TELLING:
        return None
    return told(
        CONCLUSIVE * share, f"{it.records(share)}: {it.copy_name} holds the text as the wrong encoding reads it."
    )


def default_value(it: Traits) -> Told | None:
    """One constant stands for whatever the origin says, or for what it does not say."""
    blank = it.related(Relation.EMPTY_ORIGIN)
    if blank >= TELLING:
        if it.filler < TELLING or it.n < SHARED_MIN:
            return None
        told_of = (
            f"{it.records(it.filler)}: {it.copy_name} holds one and the same value where {it.origin_name} has none."
        )
        return told(STRONG * it.filler, told_of)
    share = it.constant
    if share < TELLING or it.origins < SHARED_MIN + 1 or it.share(waits) >= TELLING or _is_explained(it):
        return None
    # Where other words come through as they are, it is a list of words with a bucket, and no default.
    points = STRONG * share - CLEAR * _comes_through(it)
    if {row.rules.kind for row in it.rows} == {"consent"}:
        points -= CLEAR
    if it.told > 0 and not _by_connector(it):
        points -= CLEAR
    return told(points, f"{it.records(share)}: {it.copy_name} holds one and the same value for {it.origins:,} others.")


def _comes_through(it: Traits) -> bool:
    """Whether a good part of the other customers' values are right."""
    return it.counts.equal > max(SHARED_MIN, it.counts.compared * 0.2)


def consent_state_machine(it: Traits) -> Told | None:
    """A state of consent always becomes the same other state."""
    is_consent = it.share(lambda row: row.rules.kind == "consent" or "consent" in row.rules.name.lower())
    if is_consent < TELLING:
        return None
    steady = max(it.paired, it.constant)
    points = CLEAR + CLEAR * steady - (CLEAR if it.related(Relation.EMPTY_COPY) > TELLING else 0)
    return told(points, f"{it.records(steady)}: the same state always becomes the same other state in {it.copy_name}.")


def field_not_covered(it: Traits) -> Told | None:
    """The copy was never written, for anybody."""
    empty = it.related(Relation.EMPTY_COPY)
    filled, compared = it.counts.copy_filled, it.counts.origin_filled
    if empty < TELLING or (filled and filled / max(1, compared) > 0.1):
        return None
    if it.share(lambda row: row.copy_was_filled) > 1 - TELLING:
        return None
    points = CLEAR + HINT * (it.n >= 5)
    evidence = [f"{it.copy_name} holds nothing in {it.field} for any of {compared:,} customers."]
    if it.counts.writes == 0 and it.is_logged:
        points += CLEAR
        evidence.append("No line of the log tells of a write of it.")
    if it.share(lambda row: None if row.rules.covered is None else not row.rules.covered) > TELLING:
        points += CLEAR
        evidence.append("The mapping leaves it out.")
    elif it.share(lambda row: None if row.rules.covered is None else row.rules.covered) > TELLING:
        points -= HINT
    if it.counts.refused:
        points -= STRONG
    return Told(points, tuple(evidence), () if it.is_logged else ("A log would tell whether it was ever written.",))


def _is_explained(it: Traits) -> bool:
    """Whether a likeness of the values explains most rows better than a list of words does."""
    better = {
        Relation.PREFIX, Relation.OTHER_FIELD, Relation.DAY_SHIFT, Relation.DAY_MONTH, Relation.MOJIBAKE,
        Relation.ZEROS_LOST, Relation.NUMBER, Relation.LOSSY,
    }  # fmt: skip
    return it.share(lambda row: bool(better & {*row.relations})) >= TELLING


def _by_connector(it: Traits) -> bool:
    return it.hand(Hand.CONNECTOR, Hand.UNKNOWN) >= TELLING


def _transform(it: Traits) -> str:
    return next((row.rules.transform for row in it.rows if row.rules.transform), "") or ""
