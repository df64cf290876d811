"""The first move and what not to do: of each cause, and of each scope row while no cause is sure.

The sentences have these names to fill in: {field}, {origin} (the system whose value should stand) and {copy} (the one
that follows it). A row's words are those of requirements M3 to M7 and M25 to M29.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from onewriter.rules.diagnosis.judgement import FixTarget, ScopeRow

RECORD, RULE, PROCESS, NOTHING = FixTarget.RECORD, FixTarget.RULE, FixTarget.PROCESS, FixTarget.NOTHING
RESYNC, OWN, MAP, PAUSE, UNLINK, KEY, ALLOW = "resync", "own", "map", "pause", "unlink", "key", "allow"

CANONICALISE = (
    "Tighten the match key by canonicalising it: write addresses and numbers in one form before they are compared, so "
    "that two spellings of one key meet."
)
"""What cures a split: one person with two records."""
VETO = (
    "Tighten the match key by a veto: a key that two people share, or once had, links nobody whose other fields differ."
)
"""What cures an over-merge: two people with one record."""


@dataclass(frozen=True, slots=True)
class Move:
    """What is done first, and what is not."""

    fix_target: FixTarget
    first_move: str
    not_to_do: str
    action: str | None = None
    broad: bool = False
    """Whether it changes more than the records of the case."""


_NO_MASS_EDIT = "Do not edit records in bulk before the mapping of {field} is right: the next cycle undoes it."
_NO_MAPPING = "Do not change the mapping of {field}: it does what it should."
_NO_MERGE = "Do not merge first: while the key is loose, the next cycle makes a second record again."

OF_CAUSE: Mapping[str, Move] = {
    "manual_edit_T": Move(
        RECORD, "Correct {field} in {copy}, then carry over that one customer again and look.",
        "Do not rewrite the mapping for what a person typed once.", RESYNC,
    ),
    "import_collision": Move(
        PROCESS, "Mend the file, pause the cycles while it is imported, and put back the values that it overwrote.",
        "Do not chase old records: the import did not bring them.", PAUSE, True,
    ),
    "mapping_wrong_target": Move(
        RULE, "Correct the mapping: what {copy} is given as {field} is another field. Then try it on one customer.",
        _NO_MASS_EDIT, MAP, True,
    ),
    "transform_lossy": Move(
        RULE, "Replace the transform of {field}, which loses a part of the value; then send one customer again and "
        "look, then the rest.", _NO_MASS_EDIT, MAP, True,
    ),
    "format_only": Move(
        NOTHING, "There is nothing to mend: both say the same, and write it otherwise. Let both write it in one form "
        "from now on, or leave it.", "Do not edit records for it.",
    ),
    "two_writers": Move(
        RULE, "Name one owner of {field}, and make every other system read-only for it.",
        "Do not clean up any more records: the second writer changes them again.", OWN, True,
    ),
    "wrong_direction": Move(
        RULE, "Change the source of truth of {field} to {origin}: now the connector writes it the wrong way.",
        "Do not keep correcting records by hand: the connector takes each correction back.", OWN, True,
    ),
    "stale_out_of_order": Move(
        PROCESS, "Let the connector refuse a write that is older than what {copy} has, then carry these customers over "
        "again.", _NO_MAPPING, RESYNC,
    ),
    "missed_webhook": Move(
        PROCESS, "Carry these customers over again, and have the time around it read again in full: changes were "
        "missed there.", _NO_MAPPING, RESYNC,
    ),
    "partial_import": Move(
        PROCESS, "Take the import up again where it broke off.", "Do not edit {field}: the rest of the run brings it.",
        RESYNC,
    ),
    "permission_missing": Move(
        RULE, "Give the connector the right to write {field} in {copy}, then let it send again what was refused.",
        "Do not let it try over and over: each write is refused until it has the right.", ALLOW, True,
    ),
    "field_not_covered": Move(
        RULE, "Map {field} to {copy}, or write down that it is not carried there.",
        "Do not type it into {copy} by hand: nothing keeps it in step.", MAP, True,
    ),
    "truncation": Move(
        RULE, "Raise the length limit of {field} in {copy}, or map it to a longer field.",
        "Do not send it again before that: it is cut at the same place.", MAP, True,
    ),
    "type_enum_coercion": Move(
        RULE, "Say in the mapping what each value of {field} becomes in {copy}, and carry it as text.",
        _NO_MASS_EDIT, MAP, True,
    ),
    "timezone_locale": Move(
        RULE, "Carry {field} as a date without a time, and name the order of day and month in the mapping.",
        _NO_MASS_EDIT, MAP, True,
    ),
    "encoding_mojibake": Move(
        RULE, "Name the right encoding where {field} is read, then send it again from {origin}.",
        "Never repair the text in {copy} by hand: the same reading breaks it again.", MAP, True,
    ),
    "identity_split": Move(
        RULE,
        f"{CANONICALISE} Where both are spelled alike it is tight already. Then make the two records one in {{copy}}.",
        _NO_MERGE, KEY, True,
    ),
    "identity_over_merge": Move(
        RULE, f"Take the two people apart: break the link, and put back what was overwritten. {VETO}",
        "Do not merge anything, and do not carry anything over while they share a record.", UNLINK,
    ),
    "recycled_key": Move(
        RULE, f"Break the link, which a number or address made that now is somebody else's; link by id. {VETO}",
        "Do not carry anything over while it stands: it would reach a stranger.", UNLINK,
    ),
    "consent_state_machine": Move(
        RULE, "Write down what each state of {field} becomes in {copy}; where two disagree, the one that allows less "
        "stands.", "Do not subscribe anybody in bulk.", MAP, True,
    ),
    "deleted_redacted": Move(
        PROCESS, "Erase what is left of these customers in the other system too, as the law asks.",
        "Never carry anything back: that would bring erased people to life.",
    ),
    "clock_skew": Move(
        PROCESS, "Set the clock of {copy} right, and let the order of the changes decide instead of their times.",
        "Do not correct records before that: an older edit wins again.",
    ),
    "null_overwrite": Move(
        PROCESS, "Let an empty value mean \"not said\" in whatever writes {field} in {copy}, and put back what it "
        "emptied.", "Do not type the values in again before that: the next run empties them.", MAP, True,
    ),
    "default_value": Move(
        RULE, "Take the default for {field} out of the mapping: it stands in for what {origin} says.",
        _NO_MASS_EDIT, MAP, True,
    ),
    "merge_not_propagated": Move(
        PROCESS, "Tell {copy} of the merge: link its record with the customer that was kept, and carry that one over.",
        "Do not make a new record for it.",
    ),
    "in_flight": Move(
        NOTHING, "Wait for the next cycle: the edit is younger than one.", "Do not edit anything: it is on its way.",
    ),
}  # fmt: skip
"""By the names in docs/causes.md."""

OF_ROW: Mapping[ScopeRow, Move] = {
    ScopeRow.RECORD: Move(
        RECORD, "Correct {field} of this one customer, then carry the customer over once and look.",
        "Do not rewrite every mapping rule first.", RESYNC,
    ),
    ScopeRow.MAPPING: Move(
        RULE, "Review the mapping and the transform of {field}, mend it, and try it on a single record.",
        "Do not edit records in bulk before the mapping is corrected.", MAP, True,
    ),
    ScopeRow.OWNERSHIP: Move(
        RULE, "Find out which system owns {field}, write it down, and make every other one read-only for it.",
        "Do not clean up records before the field has one owner.", OWN, True,
    ),
    ScopeRow.REVERSION: Move(
        RULE, "Give {field} one owner: change its source of truth.",
        "Do not keep correcting the same record by hand.", OWN, True,
    ),
    ScopeRow.IDENTITY: Move(RULE, "Tighten the match key before anything is merged.", _NO_MERGE, KEY, True),
    ScopeRow.IMPORT: Move(
        PROCESS, "Bring the import into order (the form of the file, the order, the time), and pause the cycles that "
        "overlap it.", "Do not chase old records.", PAUSE, True,
    ),
    ScopeRow.BOUNDARY: Move(
        RULE, "Put the limits of the connector right first.",
        "Do not edit records: no record can be right before that is.", None, True,
    ),
    ScopeRow.PHANTOM: OF_CAUSE["format_only"],
}  # fmt: skip

SEVERAL_FIELDS = Move(
    RECORD, "See first whether both records are the same person; then correct the customer, carry it over once and "
    "look.", "Do not rewrite every mapping rule first.", RESYNC,
)  # fmt: skip
"""One customer with several wrong fields: identity first (decision D2)."""

ERASED = Move(
    PROCESS, "Erase what is left of them in the other system too, as the law asks, and carry nothing over.",
    "Never write to a customer who was redacted or deleted, on either side.",
)  # fmt: skip

GONE = Move(
    PROCESS, "See first why they are gone: who was erased is erased in the other system too, who was merged is linked "
    "with the customer that was kept. Carry nothing over.",
    "Never write to a customer who was redacted or deleted, on either side.",
)  # fmt: skip
"""Deleted, and nobody knows yet whether by law, by a merge or by mistake."""

UNOWNED_CONSENT = Move(
    RULE, "Stop: write down who owns {field} first. Until then nobody can say what was consented to.",
    "Do not change a consent, by hand or by a rule, before it has an owner; never subscribe anybody in bulk.", OWN,
)  # fmt: skip
