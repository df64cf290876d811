"""What programs do with points: a till redeems, a shop gives for a review, somebody puts a thing right."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from onewriter.desk import points_by_hand
from onewriter.desk.customers import id_only
from onewriter.desk.points_by_hand import WHY_MAX
from onewriter.loyalty.points import KEY_MAX, POINTS_MAX
from onewriter.web.api.frame import Asker, RequestBody, ShopName, router

api = router("points")

CustomerId = Annotated[str, Path(max_length=64, description="Shopify's number, or our id.")]
Key = Annotated[str, Field(min_length=1, max_length=KEY_MAX)]
Why = Annotated[str, Field(max_length=WHY_MAX)]
Points = Annotated[int, Field(ge=1, le=POINTS_MAX)]


class Looked(RequestBody):
    """Something that can be looked at first."""

    dry_run: bool = Field(False, description="Tell what would come of it, and do nothing.")


class Redeem(Looked):
    """Points to spend."""

    points: Points
    key: Key = Field(description="What names this redemption, so that it is made once however often it is sent.")
    why: Why | None = Field(None, description="Shown in the statement; nothing personal.")


class Adjust(Looked):
    """Points to give, or to take where it is below zero."""

    points: Annotated[int, Field(ge=-POINTS_MAX, le=POINTS_MAX)]
    why: Why = Field(description="Shown in the statement; nothing personal.")
    key: Key | None = Field(None, description="What names this adjustment, so that it is made once.")


class Give(Looked):
    """What a custom rule of the programme gives."""

    rule: Annotated[str, Field(min_length=1, max_length=100, description="The name behind `custom.`")]
    reference: Key = Field(description="What happened; each is given for once.")


class TakeBack(RequestBody):
    """A redemption to give back."""

    key: Key = Field(description="What it was redeemed under.")
    why: Why | None = None


class Exclude(RequestBody):
    """Why somebody is to earn nothing."""

    why: Why


class Days(RequestBody):
    """How long points last."""

    days: Annotated[str, Field(max_length=9, description="A number of days without activity, `never` or `default`.")]


@api.post("/customers/{customer}/points/redeem")
def redeem_points(asker: Asker, customer: CustomerId, redeem: Redeem, shop: ShopName = None) -> dict[str, Any]:
    """Spend points of a customer, those first that end first; never more than there are."""
    deed = points_by_hand.redeeming(asker, redeem.points, redeem.key, redeem.why)
    return points_by_hand.do(asker, shop, id_only(customer), deed, dry=redeem.dry_run)


@api.post("/customers/{customer}/points/adjust")
def adjust_points(asker: Asker, customer: CustomerId, adjust: Adjust, shop: ShopName = None) -> dict[str, Any]:
    """Give or take points by hand, for a reason; never more than there are."""
    deed = points_by_hand.adjusting(asker, adjust.points, adjust.why, adjust.key)
    return points_by_hand.do(asker, shop, id_only(customer), deed, dry=adjust.dry_run)


@api.post("/customers/{customer}/points/give")
def give_points(asker: Asker, customer: CustomerId, give: Give, shop: ShopName = None) -> dict[str, Any]:
    """Give what a custom rule gives for something that happened elsewhere, once for each thing."""
    deed = points_by_hand.giving(asker, give.rule, give.reference)
    return points_by_hand.do(asker, shop, id_only(customer), deed, dry=give.dry_run)


@api.post("/points/take-back")
def take_back_points(asker: Asker, taken: TakeBack, shop: ShopName = None) -> dict[str, Any]:
    """Give back what was redeemed under a key."""
    return points_by_hand.take_back(asker, shop, taken.key, taken.why)


@api.post("/customers/{customer}/points/exclude")
def exclude_customer(asker: Asker, customer: CustomerId, exclude: Exclude, shop: ShopName = None) -> dict[str, Any]:
    """Let a customer earn nothing from now on; what it has stays."""
    return points_by_hand.decide(asker, shop, id_only(customer), points_by_hand.excluding(exclude.why))


@api.post("/customers/{customer}/points/include")
def include_customer(asker: Asker, customer: CustomerId, shop: ShopName = None) -> dict[str, Any]:
    """Let a customer that was excluded earn again."""
    return points_by_hand.decide(asker, shop, id_only(customer), points_by_hand.excluding(None))


@api.post("/customers/{customer}/points/days")
def set_days(asker: Asker, customer: CustomerId, days: Days, shop: ShopName = None) -> dict[str, Any]:
    """Set after how many days without activity this customer's points end."""
    return points_by_hand.decide(asker, shop, id_only(customer), points_by_hand.lasting(days.days))
