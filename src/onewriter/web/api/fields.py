"""Fields and the programme for programs."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from onewriter.desk import field_figures, fields, paging, programme
from onewriter.desk.field_figures import DAYS_MAX, WEEKS_MAX, Fit, RatesDocument
from onewriter.desk.key_rules import EXAMPLES, EXAMPLES_MAX, SHARED_MAX, Checked, Given
from onewriter.rules.policy import Direction
from onewriter.rules.policy_check import LENGTH_MAX
from onewriter.web import apart
from onewriter.web.api.frame import Asker, Limit, RequestBody, ShopName, router
from onewriter.web.threads import slow

api = router("fields")

PAIRS_MAX = 500
"""Options of a transform, or words of an enumeration."""

Word = Annotated[str, Field(max_length=200)]


class Change(RequestBody):
    """A change that is only shown, unless `dry_run` is false; then it needs a reason."""

    dry_run: bool = True
    why: Annotated[str, Field(max_length=500)] = ""
    version: int | None = Field(None, ge=0, description="The version that was looked at; another is refused.")


class Owner(Change):
    """Another owner of a field."""

    field: Word
    owner: Word = Field(description="A system, or `manual`.")


class Toml(Change):
    """A whole file."""

    toml: Annotated[str, Field(max_length=100_000)]


class Mapping(Change):
    """How a system holds a field; what is left out stays as it is mapped now."""

    system: Word
    field: Word
    remove: bool = Field(False, description="Take the field off the system; what stands there stays.")
    remote: Word | None = Field(None, description="What the system calls the field.")
    direction: Direction | None = Field(None, description="How it takes part; else what follows from the owner.")
    transform: Word | None = Field(None, description="How the system writes it otherwise than we do.")
    options: dict[Word, Word] = Field(default_factory=dict, max_length=PAIRS_MAX, description="Of the transform.")
    words: dict[Word, Word] = Field(
        default_factory=dict, max_length=PAIRS_MAX, description="What the system calls each of our words."
    )
    max_length: int | None = Field(None, ge=1, le=LENGTH_MAX, description="Letters that it holds; longer are parked.")
    empty: Literal["clear", "keep"] | None = Field(None, description="What an empty value does to the other side.")


class KeyWords(RequestBody):
    """By what a person is known; what is left out stays."""

    keys: list[Literal["id", "email", "phone"]] | None = Field(
        None, min_length=1, max_length=3, description="The strongest first."
    )
    soft_email: bool | None = Field(None, description="Whether plus-tags and dots of mailboxes may link.")
    shared_by_max: int | None = Field(None, ge=1, le=SHARED_MAX, description="Who may share a value that links.")


class NewKeys(Change, KeyWords):
    """Other keys."""


@api.get("/fields")
def show_fields(asker: Asker, shop: ShopName = None) -> dict[str, Any]:
    """Show the policy: who owns each field, how each system takes part, what is wrong with it, and every version."""
    return fields.policy(asker, shop)


@api.post("/fields/owner")
def set_owner(asker: Asker, wanted: Owner, shop: ShopName = None) -> dict[str, Any]:
    """Give a field another owner, or say what that would change."""
    return _changed(asker, shop, wanted, fields.owning(wanted.field, wanted.owner))


@api.post("/fields/mapping")
def set_mapping(asker: Asker, wanted: Mapping, shop: ShopName = None) -> dict[str, Any]:
    """Say how a system holds a field, or say what that would change."""
    given = wanted.model_dump(include={"remote", "direction", "transform", "max_length", "empty"})
    for name, pairs in (("options", wanted.options), ("words", wanted.words)):
        given[name] = [f"{ours}={theirs}" for ours, theirs in pairs.items()]
    return _changed(asker, shop, wanted, fields.mapping(wanted.system, wanted.field, given, remove=wanted.remove))


@api.put("/fields")
def set_fields(asker: Asker, wanted: Toml, shop: ShopName = None) -> dict[str, Any]:
    """Set the whole policy from TOML, as `GET /fields` gives it, or say what that would change."""
    return _changed(asker, shop, wanted, fields.from_toml(wanted.toml))


@api.post("/fields/keys/check")
@slow
def check_keys(
    asker: Asker,
    wanted: KeyWords,
    shop: ShopName = None,
    examples: Annotated[int, Query(ge=0, le=EXAMPLES_MAX)] = EXAMPLES,
) -> Checked:
    """Match every record again with other keys, and tell what they would split and join; nothing is changed."""
    return apart.other_keys(asker, shop, _given(wanted), examples)


@api.put("/fields/keys")
def set_keys(asker: Asker, wanted: NewKeys, shop: ShopName = None) -> dict[str, Any]:
    """Say by what a person is known, or say what that would change in the policy."""
    return _changed(asker, shop, wanted, fields.knowing(_given(wanted)))


def _given(wanted: KeyWords) -> Given:
    named = None if wanted.keys is None else ",".join(wanted.keys)
    return {"named": named, "soft_email": wanted.soft_email, "shared_by_max": wanted.shared_by_max}


def _changed(asker: Asker, shop: str | None, wanted: Change, make: fields.Make) -> dict[str, Any]:
    planned = fields.plan(asker, shop, make)
    if wanted.dry_run:
        return fields.change_document(planned, is_set=False)
    return fields.put(asker, planned, wanted.why, wanted.version)


@api.get("/fields/fit")
def show_fit(
    asker: Asker,
    shop: ShopName = None,
    weeks: Annotated[int, Query(ge=2, le=WEEKS_MAX)] = 4,
    add: Annotated[
        str | None, Query(max_length=401, description="FIELD=SYSTEM: what changes if it may write that, too.")
    ] = None,
    limit: Limit = paging.USUAL,
) -> Fit:
    """Tell whether keeping each field in step by machine is worth it, with the figures of so many weeks."""
    return field_figures.fit(asker, shop, weeks, None if add is None else field_figures.pair_of(add), limit)


@api.get("/fields/rates")
def show_rates(
    asker: Asker,
    shop: ShopName = None,
    days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = 30,
    limit: Limit = paging.USUAL,
) -> RatesDocument:
    """Rank fields by how often they change, and by how often they are in trouble."""
    return field_figures.rates(asker, shop, days, limit)


@api.get("/programme")
def show_programme(asker: Asker, shop: ShopName = None) -> dict[str, Any]:
    """Show the rules that give points, and every version there was."""
    return programme.shown(asker, shop)


@api.put("/programme")
def set_programme(asker: Asker, wanted: Toml, shop: ShopName = None) -> dict[str, Any]:
    """Set the rules that give points, from now on, or say what that would change."""
    planned = programme.plan(asker, shop, wanted.toml)
    told = programme.change_document(planned)
    if wanted.dry_run:
        return told | {"set": False}
    return told | {"set": True, "version": programme.put(asker, planned, wanted.why, wanted.version)}
