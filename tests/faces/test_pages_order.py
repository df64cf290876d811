"""The picture of the order of writes says what the history says."""

import re
from typing import Any

from onewriter.web.pages.order import MOST, draw


def line(at: int, system: str, *, accepted: bool = True, field: str = "phone") -> dict[str, Any]:
    return {
        "heard_at": f"2026-03-{at:02}T10:00:00+00:00", "system": system, "writer": f"{system}:sync", "fields": [field],
        "accepted": accepted,
    }  # fmt: skip


def test_writes_stand_from_the_oldest_to_the_newest_in_the_lane_of_their_system() -> None:
    picture = draw([line(3, "crm"), line(2, "erp", accepted=False), line(1, "crm")])
    assert picture is not None
    marks = re.findall(r'<circle class="head" cx="(\d+)" cy="(\d+)"[^>]*><title>([^<]*)', picture)
    (old_x, old_y, told), (new_x, new_y, _) = marks
    assert told == "1 Mar 2026, 10:00:00, crm:sync wrote phone"
    assert int(old_x) < int(new_x)
    assert old_y == new_y
    [(x, told)] = re.findall(r'<rect class="refused" x="(\d+)"[^>]*><title>([^<]*)', picture)
    assert int(old_x) < int(x) < int(new_x)
    assert told == "2 Mar 2026, 10:00:00, erp:sync was refused phone"
    assert f'points="{old_x},{old_y} {new_x},{new_y}"' in picture


def test_a_long_history_is_drawn_to_its_newest_writes() -> None:
    picture = draw([line(3, "crm"), *[line(2, "crm")] * MOST, line(1, "erp")])
    assert picture is not None
    assert (picture.count("<circle"), "erp" in picture) == (MOST, False)


def test_one_write_needs_no_picture_and_a_name_that_is_markup_is_text() -> None:
    assert draw([line(1, "crm")]) is None
    picture = draw([line(1, "<b>"), line(2, "crm", field="<i>")])
    assert picture is not None
    assert "<b>" not in picture
    assert "<i>" not in picture
