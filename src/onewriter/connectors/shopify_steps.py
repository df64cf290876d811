"""What to send to Shopify for some patches: the mutations of each, and several of them in one document.

A patch is at most one `customerUpdate` (texts, addresses and metafields together), tags as the difference alone, and a
mutation for each consent. Patches of metafields alone share a `metafieldsSet`, which takes 25 for the price of one.
Every value is a variable, never part of a document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from onewriter.connectors.interface import RemoteValue
from onewriter.connectors.shopify_fields import (
    SELECTED,
    TEXTS,
    Selection,
    addresses_input,
    consent_input,
    metafield_text,
    metafield_type,
)
from onewriter.rules.policy import CONSENTS, TAGS, is_namespace
from onewriter.rules.tags import change

METAFIELDS_MAX = 25
"""Metafields that Shopify takes in one `metafieldsSet`, all of them or none."""


@dataclass(frozen=True, slots=True, repr=False)
class Write:
    """What is to change of one customer: the values that differ, and the record as it was read just before."""

    place: int
    """Of the patch among those that were given."""
    id: str
    set: Mapping[str, RemoteValue]
    clear: tuple[str, ...]
    node: Mapping[str, Any]

    @property
    def gid(self) -> str:
        """The id as Shopify writes it."""
        return f"gid://shopify/Customer/{self.id}"

    def wanted(self, name: str) -> RemoteValue:
        """The value that a field shall have; None empties it."""
        return self.set.get(name)


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One mutation. Its `places` are the patches that it carries something of, in the order of its metafields."""

    mutation: str
    types: Mapping[str, str]
    """Of each argument, its GraphQL type."""
    values: Mapping[str, Any]
    answer: str
    """The selection of its payload, beside the user errors."""
    fields: Mapping[int, tuple[str, ...]]
    """Of each patch, the remote fields that it carries."""
    coded: bool = True
    """Whether its user errors have a code."""
    owners: tuple[int, ...] = field(default=())
    """Of a `metafieldsSet`, the patch that each metafield is of."""


def steps_of(writes: Sequence[Write], selection: Selection) -> list[Step]:
    """The mutations for these writes, those of one customer in a row."""
    steps, alone = [], []
    for write in writes:
        named = (*write.set, *write.clear)
        if any(name in TEXTS or name == "addresses" for name in named):
            steps.append(_update(write, selection))
        elif any(name in selection.metafields for name in write.set):
            alone.append(write)
        steps += _deletions(write, selection) + _tags(write, selection)
        steps += [_consent(write, name) for name in CONSENTS if name in write.set]
    return together(alone, selection) + steps


def _update(write: Write, selection: Selection) -> Step:
    given: dict[str, Any] = {"id": write.gid}
    names = [name for name in (*write.set, *write.clear) if name in TEXTS]
    given |= {TEXTS[name][0]: write.wanted(name) for name in names}
    if "addresses" in write.set or "addresses" in write.clear:
        given["addresses"] = addresses_input(write.wanted("addresses") or [])
        names.append("addresses")
    own = [name for name in write.set if name in selection.metafields]
    if own:
        given["metafields"] = [_metafield(write, name, selection) for name in own]
    fields = (*names, *own)
    return Step(
        "customerUpdate",
        {"input": "CustomerInput!"},
        {"input": given},
        f"customer {{ {selection.text(fields)} }}",
        {write.place: fields},
        coded=False,
    )


def _metafield(write: Write, name: str, selection: Selection) -> dict[str, Any]:
    alias, namespace, key = selection.metafields[name]
    held, value = write.node.get(alias), write.wanted(name)
    # A metafield keeps the type that it has; another one would be refused.
    kind = held["type"] if isinstance(held, dict) else metafield_type(value)
    return {"namespace": namespace, "key": key, "type": kind, "value": metafield_text(value)}


def together(writes: Sequence[Write], selection: Selection) -> list[Step]:
    """The metafields of several customers, as many in each mutation as Shopify takes."""
    inputs = [
        (write, name, {"ownerId": write.gid, **_metafield(write, name, selection)})
        for write in writes
        for name in write.set
        if name in selection.metafields
    ]
    steps, batch = [], list[tuple[Write, str, dict[str, Any]]]()
    for place, each in enumerate(inputs):
        batch.append(each)
        if len(batch) == METAFIELDS_MAX or place == len(inputs) - 1:
            steps.append(_metafields(batch))
            batch = []
    return steps


def _metafields(batch: Sequence[tuple[Write, str, dict[str, Any]]]) -> Step:
    fields: dict[int, tuple[str, ...]] = {}
    for write, name, _given in batch:
        fields[write.place] = (*fields.get(write.place, ()), name)
    return Step(
        "metafieldsSet",
        {"metafields": "[MetafieldsSetInput!]!"},
        {"metafields": [given for _write, _name, given in batch]},
        "metafields { key type value }",
        fields,
        owners=tuple(write.place for write, _name, _given in batch),
    )


def _deletions(write: Write, selection: Selection) -> list[Step]:
    names = tuple(name for name in write.clear if name in selection.metafields)
    if not names:
        return []
    keys = [dict(zip(("namespace", "key"), selection.metafields[name][1:], strict=True)) for name in names]
    given = [{"ownerId": write.gid, **key} for key in keys]
    types = {"metafields": "[MetafieldIdentifierInput!]!"}
    answer = "deletedMetafields { key }"
    return [Step("metafieldsDelete", types, {"metafields": given}, answer, {write.place: names}, coded=False)]


def _tags(write: Write, selection: Selection) -> list[Step]:
    names = tuple(name for name in (*write.set, *write.clear) if name == TAGS or is_namespace(name))
    add: list[str] = []
    remove: list[str] = []
    for name in names:
        more, fewer = tag_changes(write.node, name, write.wanted(name), selection)
        add += more
        remove += fewer
    types = {"id": "ID!", "tags": "[String!]!"}
    answer = "node { ... on Customer { tags } }"
    return [
        Step(mutation, types, {"id": write.gid, "tags": tags}, answer, {write.place: names}, coded=False)
        for mutation, tags in (("tagsRemove", remove), ("tagsAdd", add))
        if tags
    ]


def tag_changes(
    node: Mapping[str, Any], name: str, wanted: RemoteValue, selection: Selection
) -> tuple[list[str], list[str]]:
    """Which tags to add and to remove, so that one part of those that are there is as it is wanted."""
    part = None if name == TAGS else name
    return change(node.get("tags") or [], wanted, part, selection.namespaces)


_OLDER = ("marketingState", "marketingOptInLevel", "consentUpdatedAt")
_CHANNELS = {
    "email_consent": ("Email", "emailMarketingConsent", _OLDER),
    "sms_consent": ("Sms", "smsMarketingConsent", _OLDER),
    "whatsapp_consent": ("WhatsApp", "whatsAppMarketingConsent", ("state", "optInLevel", "updatedAt")),
}


def _consent(write: Write, name: str) -> Step:
    channel, key, names = _CHANNELS[name]
    told = zip(names, consent_input(write.set[name]), strict=True)
    given = {"customerId": write.gid, key: {each: value for each, value in told if value is not None}}
    selected = SELECTED[name]
    # WhatsApp's mutation answers with the number and not with the customer.
    answer = selected.replace("defaultPhoneNumber", "customerPhoneNumber") if channel == "WhatsApp" else ""
    return Step(
        f"customer{channel}MarketingConsentUpdate",
        {"input": f"Customer{channel}MarketingConsentUpdateInput!"},
        {"input": given},
        answer or f"customer {{ {selected} }}",
        {write.place: (name,)},
    )


def document_of(steps: Sequence[Step]) -> tuple[str, dict[str, Any]]:
    """One document with all these mutations, which Shopify carries out in their order, and its variables."""
    declared, lines, variables = [], [], {}
    for place, step in enumerate(steps):
        for name, kind in step.types.items():
            declared.append(f"${name}{place}: {kind}")
            variables[f"{name}{place}"] = step.values[name]
        arguments = ", ".join(f"{name}: ${name}{place}" for name in step.types)
        code = " code" if step.coded else ""
        extra = " elementIndex" if step.owners else ""
        errors = f"userErrors {{ field message{code}{extra} }}"
        lines.append(f"  s{place}: {step.mutation}({arguments}) {{ {step.answer} {errors} }}")
    return f"mutation Write({', '.join(declared)}) {{\n" + "\n".join(lines) + "\n}", variables
