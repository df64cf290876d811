"""The installation for programs: shops and health, settings and master keys, people and API tokens."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from onewriter.customers.people import Role
from onewriter.customers.tokens import DAYS_MAX
from onewriter.desk import entering, health, people, settings, shops
from onewriter.desk.entering import Invited, LoggedOut, MadeToken, TokenDocument
from onewriter.desk.health import HealthDocument
from onewriter.desk.people import PersonDocument, Removed
from onewriter.desk.settings import MasterKeyDocument, SettingDocument
from onewriter.desk.shops import ShopDocument, WholeShop
from onewriter.web.api.frame import Asker, RequestBody, ShopName, router

api = router("settings")

Name = Annotated[str, Field(min_length=1, max_length=70)]


class Shops(TypedDict):
    """Every shop."""

    items: list[ShopDocument]


class Settings(TypedDict):
    """Every setting."""

    items: list[SettingDocument]


class MasterKeys(TypedDict):
    """Every master key."""

    items: list[MasterKeyDocument]


class People(TypedDict):
    """Everybody with a role."""

    items: list[PersonDocument]


class Tokens(TypedDict):
    """Every API token."""

    items: list[TokenDocument]


class Named(RequestBody):
    """Somebody, or something, by name."""

    name: Name


class Person(Named):
    """Somebody and a role."""

    role: Role


class NewToken(Person):
    """A token that is to be made."""

    days: int = Field(365, ge=1, le=DAYS_MAX, description="How long it lets somebody in.")


# ---- The installation -----------------------------------------------------------------------------------------------


@api.get("/shops")
def list_shops(asker: Asker) -> Shops:
    """List the shops, connected or not."""
    return {"items": shops.listed(asker)}


@api.get("/shop")
def show_shop(asker: Asker, shop: ShopName = None) -> WholeShop:
    """Show a shop: since when it is connected, its scopes, and what waits to be read."""
    return shops.shown(asker, shop)


@api.get("/health")
def show_health(asker: Asker, shop: ShopName = None) -> HealthDocument:
    """Tell what is not well, as `onewriter check` does, but for what must be asked of Shopify."""
    return health.health(asker, shop)


@api.get("/settings")
def list_settings(asker: Asker) -> Settings:
    """List every setting with its value; secrets show as ***. For staff."""
    return {"items": settings.listed(asker)}


@api.get("/master-keys")
def list_master_keys(asker: Asker) -> MasterKeys:
    """List the master keys by their fingerprints, and how many keys each of them wraps. For staff."""
    return {"items": settings.master_keys(asker)}


# ---- People ---------------------------------------------------------------------------------------------------------


@api.get("/people")
def list_people(asker: Asker) -> People:
    """List who has a role, and since when."""
    return {"items": people.listed(asker)}


@api.post("/people/invite")
def invite_person(asker: Asker, given: Person) -> Invited:
    """Make a link by which somebody chooses a password and gets that role, once, within 24 hours. For owners."""
    return entering.invite(asker, given.name, given.role)


@api.post("/people/role")
def set_role(asker: Asker, given: Person) -> PersonDocument:
    """Give somebody a role, in place of the one they have. For owners; there must always be one."""
    return people.set_role(asker, given.name, given.role)


@api.post("/people/remove")
def remove_person(asker: Asker, given: Named) -> Removed:
    """Take somebody's role away; they are logged out everywhere, and log in no more. For owners."""
    return people.remove(asker, given.name)


@api.post("/people/log-out")
def log_out_person(asker: Asker, given: Named) -> LoggedOut:
    """Log somebody out everywhere; their password stays. For owners."""
    return entering.log_out(asker, given.name)


# ---- Tokens ---------------------------------------------------------------------------------------------------------


@api.get("/tokens")
def list_tokens(asker: Asker) -> Tokens:
    """List every API token, without its secret. For owners."""
    return {"items": entering.listed_tokens(asker)}


@api.post("/tokens")
def make_token(asker: Asker, given: NewToken) -> MadeToken:
    """Make an API token; its secret is told this once. For owners."""
    return entering.make_token(asker, given.name, given.role, given.days)


@api.post("/tokens/revoke")
def revoke_token(asker: Asker, given: Named) -> TokenDocument:
    """Let nobody in by a token any more. For owners."""
    return entering.revoke_token(asker, given.name)
