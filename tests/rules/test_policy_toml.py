"""A policy as a file: what is written reads back the same, and what is not right is refused in one sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules import policy as policies
from onewriter.rules.policy import Direction, FieldMap, FieldRule, KeyRule, Policy, Shared
from onewriter.rules.policy_changes import affected, changes
from onewriter.rules.policy_toml import BadPolicy, parse, to_toml

MAPPED = '[systems.crm.phone]\nremote = "mobile"\ndirection = "out"\n'
names = st.sampled_from(["email", "custom.size", "tags[vip:*]", 'odd "name"', "ünï"])
texts = st.text(st.characters(codec="utf-8"), max_size=8)
systems = st.sampled_from(["shopify", "crm", "the crm"])
shares = st.builds(
    Shared, writers=st.lists(systems, max_size=2).map(tuple), conflict=st.sampled_from(["owner wins", "newest wins"]),
    same_identity_rule=st.booleans(), extra_work_accepted_by=st.none() | texts, why=st.none() | texts,
    empty_overwrites=st.booleans(),
)  # fmt: skip
maps = st.builds(
    FieldMap, remote=texts, direction=st.sampled_from(Direction), transform=texts,
    max_length=st.none() | st.integers(1, 9),
    options=st.dictionaries(texts, texts, max_size=2), enum=st.none() | st.dictionaries(texts, texts, max_size=2),
    empty=st.sampled_from(["clear", "keep"]),
)  # fmt: skip
rules = st.builds(FieldRule, owner=st.none() | systems, shared=st.none() | shares)
some = st.builds(
    Policy, version=st.just(3),
    fields=st.dictionaries(names, rules, max_size=3),
    systems=st.dictionaries(systems, st.dictionaries(names, maps, max_size=2), max_size=2),
    identity=st.builds(
        KeyRule, keys=st.lists(texts, max_size=3).map(tuple), soft_email=st.booleans(), shared_by_max=st.integers(1, 9)
    ),
)  # fmt: skip


@given(some)
@settings(max_examples=50)
def test_what_is_written_reads_back_the_same(policy: Policy) -> None:
    assert parse(to_toml(policy), 3) == policy


def test_the_policy_of_a_new_shop_is_a_short_file() -> None:
    text = to_toml(policies.of_shopify())
    assert text.startswith(
        '[identity]\nkeys = ["id", "email", "phone"]\nsoft_email = true\nshared_by_max = 4\n\n[fields.'
    )
    assert '\n[fields.email]\nowner = "shopify"\n' in text
    assert "systems" not in text
    assert parse(text, 1) == policies.of_shopify()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fields = 5", "fields must be a section, which begins with a line [fields.NAME]."),
        ('[fields]\nphone = "crm"', "fields.phone must be a section, which begins with a line [fields.phone]."),
        ("[fields.phone]\nowner = 5", "fields.phone.owner must be the name of a system, or manual."),
        ('[fields.phone]\nownr = "crm"', "fields.phone.ownr is no key of a policy; did you mean owner?"),
        ('[field.phone]\nowner = "crm"', "field is no key of a policy; did you mean fields?"),
        ('[fields."tags[vip:*]"]\nowner = true', 'fields."tags[vip:*]".owner must be the name of a system, or manual.'),
        ('[fields.phone.shared]\nwriters = "crm"',
         'fields.phone.shared.writers must be a list of systems, such as ["crm"].'),
        ('[fields.phone.shared]\nwriters = ["crm"]\nconflict = "mine"',
         'fields.phone.shared.conflict must be "owner wins", "newest wins" or "manual".'),
        ('[systems]\ncrm = 1', "systems.crm must be a section, which begins with a line [systems.crm.NAME]."),
        (MAPPED.replace("out", "up"), 'systems.crm.phone.direction must be "in", "out", "both" or "none".'),
        (MAPPED + 'max_length = "20"', "systems.crm.phone.max_length must be a whole number of characters."),
        (MAPPED + "max_length = 1.5", "systems.crm.phone.max_length must be a whole number of characters."),
        (MAPPED + 'options = ["CH"]',
         'systems.crm.phone.options must be a table of texts, such as { country = "CH" }.'),
        (MAPPED + "options = { country = 5 }",
         "systems.crm.phone.options must hold texts of at most 500 characters alone."),
        (MAPPED + 'empty = "both"', 'systems.crm.phone.empty must be "clear" or "keep".'),
        ('[systems.crm.phone]\nremote = "mobile"',
         'systems.crm.phone.direction is missing; it must be "in", "out", "both" or "none".'),
        ('[systems.crm.phone]\ndirection = "in"',
         "systems.crm.phone.remote is missing; it must be a text: what the system calls the field."),
        (f'[fields.phone]\nowner = "{"x" * 501}"', "fields.phone.owner must be at most 500 characters."),
        (f'[identity]\nkeys = [{"1," * 501}]', "identity.keys must have at most 500 entries."),
        ('[identity]\nsoft_email = "no"', "identity.soft_email must be true or false."),
        ("[identity]\nshared_by_max = true", "identity.shared_by_max must be a whole number of records."),
        (f"[fields.{'x' * 101}]", f'fields."{"x" * 60}" must have a name of 1 to 100 characters.'),
        ("[fields]\n" + "".join(f"a{each} = 1\n" for each in range(1_001)), "fields must have at most 1,000 entries."),
        ("nonsense", "A policy must be a TOML file: "),
        ("# " + "x" * 262_144, "A policy must be a file of at most 256 KiB."),
        ("a = '\x1b'", "A policy must be plain text, and this one holds a control character."),
        ("a = " + "[" * 10_000, "A policy must be a TOML file"),
        ("a = " + "9" * 5_000, "A policy must be a TOML file, and this one holds a number of too many digits."),
    ],
)  # fmt: skip
def test_what_is_not_right_is_refused_and_the_key_is_named(text: str, expected: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        parse(text)
    assert str(refused.value).startswith(expected)


# ---- What changes ---------------------------------------------------------------------------------------------------


def mapped(direction: str, **rest: object) -> FieldMap:
    return FieldMap(remote="mobile", direction=Direction(direction), **rest)  # type: ignore[arg-type]


SHOPIFYS = policies.of_shopify()
CRM = Policy(fields=SHOPIFYS.fields, systems={"crm": {"phone": mapped("out")}, "erp": {"note": mapped("out")}})


def owned(base: Policy, name: str, owner: str) -> Policy:
    return Policy(fields={**base.fields, name: FieldRule(owner=owner)}, systems=base.systems, identity=base.identity)


def test_nothing_differs_from_the_same() -> None:
    assert changes(CRM, CRM) == []
    assert affected(CRM, CRM) == set()


@given(some, some)
@settings(max_examples=50)
def test_every_difference_is_told(one: Policy, other: Policy) -> None:
    assert (changes(one, other) == []) == (
        (one.fields, _filled(one), one.identity) == (other.fields, _filled(other), other.identity)
    )


def _filled(policy: Policy) -> dict[str, object]:
    return {system: held for system, held in policy.systems.items() if held}


def test_a_difference_is_told_in_words() -> None:
    long = mapped("in", transform="e164", options={"country": "CH"}, max_length=20, enum={"a": "b"}, empty="keep")
    sharing = Shared(writers=("erp",), same_identity_rule=True, extra_work_accepted_by="anna", why="both edit")
    new = Policy(
        fields={**SHOPIFYS.fields, "phone": FieldRule(owner="crm", shared=sharing), "custom.size": FieldRule()},
        systems={"crm": {"phone": long}},
        identity=KeyRule(keys=("email",), soft_email=False, shared_by_max=2),
    )
    assert {(each.field, each.system): (each.before, each.after) for each in changes(CRM, new)} == {
        ("phone", None): (
            "owned by shopify",
            "owned by crm, shared with erp, owner wins, empty never overwrites, by the same rule of identity, "
            "the extra work accepted by anna, because: both edit",
        ),
        ("custom.size", None): (None, "not written down"),
        ("phone", "crm"): (
            "out mobile", "in mobile, as e164 country=CH, at most 20 characters, words a=b, empty keeps",
        ),
        ("note", "erp"): ("out mobile", None),
        (None, None): (
            "known by id, email, phone, with soft addresses, shared by 4 at most",
            "known by email, without soft addresses, shared by 2 at most",
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("new", "asking"),
    [
        (owned(CRM, "phone", "manual"), {"crm", "shopify"}),
        (owned(CRM, "email", "manual"), {"shopify"}),
        (owned(CRM, "custom.size", "erp"), set()),
        (Policy(fields=CRM.fields, systems={"erp": CRM.systems["erp"]}), {"crm"}),
        (Policy(fields=CRM.fields, systems={**CRM.systems, "fax": {}}), set()),
        (Policy(fields=CRM.fields, systems={**CRM.systems, "fax": {"note": mapped("none")}}), {"fax"}),
        (Policy(fields=CRM.fields, systems=CRM.systems, identity=KeyRule(keys=("email",))), {"crm", "erp", "shopify"}),
    ],
)
def test_a_system_asks_when_something_else_would_be_written_or_said(new: Policy, asking: set[str]) -> None:
    assert affected(CRM, new) == asking


def test_a_part_of_the_address_asks_with_the_addresses() -> None:
    base = Policy(
        fields=SHOPIFYS.fields, systems={"crm": {"address.city": mapped("out")}, "erp": {"note": mapped("out")}}
    )
    assert affected(base, owned(base, "addresses", "manual")) == {"crm", "shopify"}
    quiet = Policy(fields=SHOPIFYS.fields, systems={"crm": {"address.city": mapped("none")}})
    assert affected(quiet, owned(quiet, "addresses", "manual")) == {"shopify"}
