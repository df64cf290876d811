"""One sample of each field, pushed through every path by which a value can come (requirement M45).

The samples are made up: no customer's value is looked at.
"""

from collections.abc import Callable, Mapping

from onewriter.records import SHOPIFY, Value
from onewriter.rules import mapping
from onewriter.rules.comparing import same
from onewriter.rules.identity.numbering import example
from onewriter.rules.mapping import Unfit
from onewriter.rules.policy import Direction, FieldMap, Policy

HAND, FILE = "by hand", "from a file"
ABROAD = "+1 (201) 555-0123"
TEXTS = {
    "email": " Ann.LEE@Example.COM ",
    "first_name": "  Zoe\u0308 ",
    "last_name": " O'Neil\t",
    "note": " two  words\n",
}
AS_TYPED = ("same", "e164", "national_phone")
"""The transforms of a system whose people write as people do everywhere; the others have a form of their own."""

ByHand = Callable[[str, str], str | None]
"""What becomes of a text that a person types into a field."""


def forms(policy: Policy, system: str, region: str | None, by_hand: ByHand) -> dict[str, Mapping[str, str | None]]:
    """Field: path: what it makes of the sample, of those fields of the system that there is a sample of."""
    dialled = example(region)
    samples = TEXTS | {"phone": ABROAD if dialled is None else dialled[0]}
    maps = policy.maps(system)
    found = {}
    for name, sample in samples.items():
        each = maps.get(name)
        if each is not None and each.enum is None:
            found[name] = _by_path(name, each, sample, system, region, by_hand)
    return found


def _by_path(
    name: str, each: FieldMap, sample: str, system: str, region: str | None, by_hand: ByHand
) -> Mapping[str, str | None]:
    plain = FieldMap(remote=name, direction=Direction.IN)
    form = _text(mapping.inward(name, plain, sample, region=region))
    # Shopify's own form is whatever it makes of the text; it counts as the same where it is no more than that.
    in_shopify = form if form is None or same(name, form, sample, region) else sample
    return {
        HAND: by_hand(name, sample),
        FILE: form,
        SHOPIFY: in_shopify,
        system: _there(name, each, sample, form, region),
    }


def _there(name: str, each: FieldMap, sample: str, form: str | None, region: str | None) -> str | None:
    """What comes of the sample through the mapping of the system."""
    is_typed = each.transform in AS_TYPED and each.options.get("country", region) == region
    told = mapping.outward(name, each, form) if form is not None and not is_typed else sample
    if isinstance(told, Unfit):
        return None
    if form is not None and mapping.in_step(name, each, form, told, region=region):
        return form
    return _text(mapping.inward(name, each, told, region=region))


def _text(value: Value | Unfit) -> str | None:
    return None if value is None or isinstance(value, Unfit) else str(value)
