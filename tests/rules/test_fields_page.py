"""The page about fields: its table of transforms is the one in the code, and its file passes the validator."""

import re

from onewriter.records import SHOPIFY
from onewriter.rules.ownership import errors, metrics, problems
from onewriter.rules.policy import MANUAL
from onewriter.rules.policy_check import Facts, facts
from onewriter.rules.policy_toml import parse, to_toml
from onewriter.rules.transforms import TRANSFORMS
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
(FILE,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
CRM = facts(
    "odoo",
    {
        "fields": [
            {"name": "email_1", "max_length": 120}, {"name": "mobile"}, {"name": "labels"}, {"name": "notes"},
            {"name": "newsletter", "type": "boolean"}, {"name": "size", "enum": ["S", "L"]},
            {"name": "points", "type": "integer"},
        ],
        "capabilities": {"cursor": "field"},
    },
)  # fmt: skip


def test_the_table_of_transforms_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (yes|no) \| (.*?) ?\|$", PAGE, re.MULTILINE)
    assert rows == [
        (name, each.help, "yes" if each.lossy else "no", ", ".join(f"`{option}`" for option in each.options))
        for name, each in TRANSFORMS.items()
    ]


def test_the_file_passes_the_validator_but_for_what_it_shares() -> None:
    policy = parse(FILE)
    found = problems(policy, {SHOPIFY: Facts(kind="shopify"), "crm": CRM})
    assert errors(found) == []
    assert [one.rule for one in found] == ["two-way"]
    assert metrics(policy).two_way == 1
    assert policy.owner_of("custom.size") == MANUAL
    assert parse(to_toml(policy)) == policy
