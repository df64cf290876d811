"""The picture of how data flows between a shop's systems: a box for each, and an arrow for what each tells another.

The shop's own Shopify stands in the middle of all of it, since every system takes part by way of it. What the picture
says, the table beside it says too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from onewriter.records import SHOPIFY

WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT = 760, 110, 170, 64
LEFT, RIGHT = 10, WIDTH - BOX_WIDTH - 10
NAMED_MAX = 3
"""Fields that are named on an arrow; the table has all."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flow:
    """What one system tells another: these fields, which the first of them owns."""

    source: str
    target: str
    fields: tuple[str, ...]


def flows(policy: Document) -> list[Flow]:
    """Who tells whom of what, by the policy's document: the owner of a field tells each system that is mapped out."""
    told: dict[tuple[str, str], list[str]] = {}
    for field in policy["fields"]:
        owner = field["owner"]
        for system, held in field["systems"].items():
            if owner and system != owner and held["direction"] in ("out", "both"):
                told.setdefault((owner, system), []).append(field["field"])
            elif owner not in (None, SHOPIFY) and system == owner and SHOPIFY not in field["systems"]:
                told.setdefault((owner, SHOPIFY), []).append(field["field"])
    return [Flow(source, target, tuple(sorted(names))) for (source, target), names in sorted(told.items())]


def draw(policy: Document) -> dict[str, Any]:
    """The picture, and the rows of the table beside it."""
    found = flows(policy)
    others = sorted({name for each in found for name in (each.source, each.target)} - {SHOPIFY})
    return {"picture": _picture(found, others) if others else None, "rows": found}


def _picture(found: Sequence[Flow], others: Sequence[str]) -> Markup:
    height = max(1, len(others)) * ROW + 20
    middle = height // 2 - BOX_HEIGHT // 2
    places = {SHOPIFY: (LEFT, middle)} | {name: (RIGHT, 20 + place * ROW) for place, name in enumerate(others)}
    parts = [*_arrows(found, places), *(_box(name, *place) for name, place in places.items())]
    told = Markup("; ").join(Markup("{} tells {}").format(each.source, each.target) for each in found)
    head = Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="flow-title flow-told"><title id="flow-title">How data '
        'flows</title><desc id="flow-told">{}</desc><defs><marker id="head" markerWidth="9" markerHeight="9" refX="8" '
        'refY="4" orient="auto"><path class="head" d="M0,0 L9,4 L0,8 z"/></marker></defs>'
    ).format(WIDTH, height, told)
    return head + Markup("").join(parts) + Markup("</svg>")


def _arrows(found: Sequence[Flow], places: Mapping[str, tuple[int, int]]) -> Iterator[Markup]:
    for each in found:
        out = each.source == SHOPIFY
        if SHOPIFY not in (each.source, each.target) or not {each.source, each.target} <= set(places):
            continue
        near, far = places[SHOPIFY], places[each.target if out else each.source]
        # There and back lie beside each other, so that neither hides the other.
        shift = -12 if out else 14
        x1, y1 = near[0] + BOX_WIDTH + 4, near[1] + BOX_HEIGHT // 2 + shift
        x2, y2 = far[0] - 6, far[1] + BOX_HEIGHT // 2 + shift
        ends = (x1, y1, x2, y2) if out else (x2, y2, x1, y1)
        yield Markup('<line class="arrow" x1="{}" y1="{}" x2="{}" y2="{}" marker-end="url(#head)"/>').format(*ends)
        named = ", ".join(each.fields[:NAMED_MAX])
        more = f" and {len(each.fields) - NAMED_MAX} more" if len(each.fields) > NAMED_MAX else ""
        y = (y1 + y2) // 2 + (-6 if out else 16)
        yield Markup('<text x="{}" y="{}" text-anchor="middle">{}{}</text>').format((x1 + x2) // 2, y, named, more)


def _box(name: str, x: int, y: int) -> Markup:
    box = Markup('<rect class="box" x="{}" y="{}" width="{}" height="{}" rx="8"/>').format(x, y, BOX_WIDTH, BOX_HEIGHT)
    middle = (x + BOX_WIDTH // 2, y + BOX_HEIGHT // 2 + 5)
    return box + Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(*middle, name[:22])
