"""The picture of who wrote last: a lane for each system, the writes in the order in which they were heard of.

A round mark is a write that was taken, a square one that was refused; a line leads from each write that was taken to
the one that came after it. The list beside it says the same in words.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from onewriter.web.pages import wording

WIDTH, LANE, LEFT, RIGHT, TOP = 760, 46, 150, 30, 14
MOST = 40
"""The newest writes that are drawn; the list has more."""
NAME_MAX = 20

Line = Mapping[str, Any]
Place = tuple[int, int]


def draw(history: Sequence[Line]) -> Markup | None:
    """The picture of a history, whose newest line comes first; None where there is nothing to put in order."""
    lines = list(reversed(history[:MOST]))
    if len(lines) < 2:
        return None
    systems = sorted({str(each["system"]) for each in lines})
    step = (WIDTH - LEFT - RIGHT) / (len(lines) - 1)
    places = [
        (round(LEFT + step * place), TOP + LANE * systems.index(str(each["system"])) + LANE // 2)
        for place, each in enumerate(lines)
    ]
    height = TOP + LANE * len(systems) + 26
    parts = [
        *_lanes(systems), _path(lines, places), *map(_mark, lines, places), *_ends(lines, height - 6), Markup("</svg>")
    ]  # fmt: skip
    head = Markup(
        '<svg class="order" viewBox="0 0 {} {}" role="img" aria-labelledby="order-title">'
        '<title id="order-title">Who wrote in which order: {}</title>'
    ).format(WIDTH, height, ", ".join(_words(each) for each in lines))
    return head + Markup("").join(parts)


def _lanes(systems: Sequence[str]) -> Iterator[Markup]:
    for place, name in enumerate(systems):
        y = TOP + LANE * place + LANE // 2
        yield Markup('<text x="0" y="{}">{}</text>').format(y + 5, name[:NAME_MAX])
        yield Markup('<line class="lane" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(LEFT - 12, y, WIDTH - 8, y)


def _path(lines: Sequence[Line], places: Sequence[Place]) -> Markup:
    taken = " ".join(f"{x},{y}" for each, (x, y) in zip(lines, places, strict=True) if each["accepted"])
    return Markup('<polyline class="arrow" points="{}"/>').format(taken)


def _mark(line: Line, place: Place) -> Markup:
    x, y = place
    told = f"{_when(line)}, {_words(line)}"
    if line["accepted"]:
        return Markup('<circle class="head" cx="{}" cy="{}" r="7"><title>{}</title></circle>').format(x, y, told)
    square = Markup('<rect class="refused" x="{}" y="{}" width="13" height="13"><title>{}</title></rect>')
    return square.format(x - 6, y - 6, told)


def _ends(lines: Sequence[Line], y: int) -> Iterator[Markup]:
    yield Markup('<text x="{}" y="{}">{}</text>').format(LEFT - 12, y, _when(lines[0]))
    yield Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(WIDTH - 8, y, _when(lines[-1]))


def _words(line: Line) -> str:
    did = "wrote" if line["accepted"] else "was refused"
    return f"{line['writer']} {did} {', '.join(map(wording.words, line['fields']))}"


def _when(line: Line) -> str:
    return wording.clock(datetime.fromisoformat(str(line["heard_at"])))
