"""The catalogue: every cause once, by its name and family, with the function that tells it."""

from collections.abc import Callable
from dataclasses import dataclass

from onewriter.rules.diagnosis.causes import people, values, writers
from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import Told
from onewriter.rules.diagnosis.judgement import Family


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause."""

    number: int
    name: str
    family: Family
    explain: Callable[[Traits], Told | None]


CATALOGUE: tuple[Cause, ...] = (
    Cause(1, "manual_edit_T", Family.RECORD, writers.manual_edit),
    Cause(2, "import_collision", Family.IMPORT, writers.import_collision),
    Cause(3, "mapping_wrong_target", Family.MAPPING, values.mapping_wrong_target),
    Cause(4, "transform_lossy", Family.MAPPING, values.transform_lossy),
    Cause(5, "format_only", Family.NONE, values.format_only),
    Cause(6, "two_writers", Family.OWNERSHIP, writers.two_writers),
    Cause(7, "wrong_direction", Family.OWNERSHIP, writers.wrong_direction),
    Cause(8, "stale_out_of_order", Family.ORDER, writers.stale_out_of_order),
    Cause(9, "missed_webhook", Family.ORDER, writers.missed_webhook),
    Cause(10, "partial_import", Family.IMPORT, writers.partial_import),
    Cause(11, "permission_missing", Family.BOUNDARY, writers.permission_missing),
    Cause(12, "field_not_covered", Family.BOUNDARY, values.field_not_covered),
    Cause(13, "truncation", Family.MAPPING, values.truncation),
    Cause(14, "type_enum_coercion", Family.MAPPING, values.type_enum_coercion),
    Cause(15, "timezone_locale", Family.MAPPING, values.timezone_locale),
    Cause(16, "encoding_mojibake", Family.MAPPING, values.encoding_mojibake),
    Cause(17, "identity_split", Family.IDENTITY, people.identity_split),
    Cause(18, "identity_over_merge", Family.IDENTITY, people.identity_over_merge),
    Cause(19, "recycled_key", Family.IDENTITY, people.recycled_key),
    Cause(20, "consent_state_machine", Family.CONSENT, values.consent_state_machine),
    Cause(21, "deleted_redacted", Family.LIFE, people.deleted_redacted),
    Cause(22, "clock_skew", Family.ORDER, writers.clock_skew),
    Cause(23, "null_overwrite", Family.IMPORT, writers.null_overwrite),
    Cause(24, "default_value", Family.MAPPING, values.default_value),
    Cause(25, "merge_not_propagated", Family.IDENTITY, people.merge_not_propagated),
    Cause(26, "in_flight", Family.NONE, writers.in_flight),
)
