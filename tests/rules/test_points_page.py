"""The page on points says what is so: its programme is one that can be set."""

import re

from onewriter.loyalty.programme_toml import parse, to_toml
from tests.support.tree import ROOT


def test_the_programme_of_the_page_is_read_as_it_says() -> None:
    page = (ROOT / "docs" / "points.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    rules = parse(text)
    assert rules.signup is not None
    assert rules.order is not None
    assert (rules.currency, rules.signup.points, rules.order.pending_days) == ("EUR", 50, 14)
    assert rules.expiry.inactivity_by_tag == {"vip": 730}
    assert parse(to_toml(rules)) == rules
