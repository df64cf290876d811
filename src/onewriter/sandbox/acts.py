"""What a merchant or a buyer does in the shop, by name: the same verbs for the control endpoint and for played days."""

from typing import Any

from onewriter.sandbox.customer import Customer, number_of
from onewriter.sandbox.normalise import Mistake, Refused, snake
from onewriter.sandbox.shop import Shop

ACTIONS = ("create", "update", "delete", "enable", "disable", "tags_add", "tags_remove", "email_consent")


def act(shop: Shop, action: str, identifier: int | str | None, given: dict[str, Any]) -> Customer:
    """Do one thing. Field names may be written as in the API or with underscores; an unknown one is a KeyError."""
    fields = {snake(key): value for key, value in given.items()}
    if action == "create":
        return shop.create(**fields)
    number = None if identifier is None else number_of("Customer", identifier)
    if number is None:
        raise Refused(Mistake(("id",), "Customer does not exist"))
    match action:
        case "update":
            return shop.update(number, **fields)
        case "delete":
            return shop.delete(number)
        case "enable" | "disable":
            return shop.update(number, state=f"{action}d".upper())
        case "tags_add":
            return shop.add_tags(number, fields["tags"])
        case "tags_remove":
            return shop.remove_tags(number, fields["tags"])
        case "email_consent":
            return shop.consent_to_email(number, fields["state"].upper(), fields.get("level", "SINGLE_OPT_IN"))
        case _:
            raise ValueError(f"There is no action {action!r}; the actions are {', '.join(ACTIONS)}")
