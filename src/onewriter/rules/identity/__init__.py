"""Identity: when two values are one key, and when two records are about one person.

A tight key is a canonical value *and* a veto: better forms alone join more people who share a telephone, an address or
a name. So whatever an equal value says, names, accounts, dates of birth and people's decisions can speak against it.
"""

from onewriter.rules.identity.clusters import Edge, Matches, Refused, are_contested, match, match_prepared, too_many
from onewriter.rules.identity.compare import VALUE_KINDS, ValueKind, compare_values
from onewriter.rules.identity.decide import Decision, Key, Shared, Verdict, decide, keys_of, vetoes_between
from onewriter.rules.identity.emails import PLAIN_EMAIL, Email, canonical_email, read_email
from onewriter.rules.identity.fields import Canonical, canonical_field
from onewriter.rules.identity.ids import read_id, scoped
from onewriter.rules.identity.people import Agreement, Name, Names, compare_names, name_of
from onewriter.rules.identity.phones import (
    E164,
    PHONE_LENGTH_MAX,
    Phone,
    canonical_phone,
    phone_forms,
    read_phone,
)
from onewriter.rules.identity.records import Person, Prepared, prepare
from onewriter.rules.identity.regions import region_of
from onewriter.rules.identity.rule import DEFAULT_RULE, IdentityRule, rule_of
from onewriter.rules.identity.text import NULL_LIKE

__all__ = [
    "DEFAULT_RULE",
    "E164",
    "NULL_LIKE",
    "PHONE_LENGTH_MAX",
    "PLAIN_EMAIL",
    "VALUE_KINDS",
    "Agreement",
    "Canonical",
    "Decision",
    "Edge",
    "Email",
    "IdentityRule",
    "Key",
    "Matches",
    "Name",
    "Names",
    "Person",
    "Phone",
    "Prepared",
    "Refused",
    "Shared",
    "ValueKind",
    "Verdict",
    "are_contested",
    "canonical_email",
    "canonical_field",
    "canonical_phone",
    "compare_names",
    "compare_values",
    "decide",
    "keys_of",
    "match",
    "match_prepared",
    "name_of",
    "phone_forms",
    "prepare",
    "read_email",
    "read_id",
    "read_phone",
    "region_of",
    "rule_of",
    "scoped",
    "too_many",
    "vetoes_between",
]
