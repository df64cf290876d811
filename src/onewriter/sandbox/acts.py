"""What a merchant or a buyer does in the shop, by name: the same verbs for the control endpoint and for played days."""

from typing import Any

from onewriter.sandbox.consents import EMAIL, SMS, WHATSAPP, Channel
from onewriter.sandbox.customer import Customer, number_of
from onewriter.sandbox.normalise import Mistake, Refused, snake
from onewriter.sandbox.order import Order
from onewriter.sandbox.shop import Shop

CONSENTS: dict[str, Channel] = {"email_consent": EMAIL, "sms_consent": SMS, "whatsapp_consent": WHATSAPP}
LAW_ACTIONS = ("redact", "request_data")
CUSTOMER_ACTIONS = (
    "create",
    "update",
    "delete",
    "enable",
    "disable",
    "tags_add",
    "tags_remove",
    *LAW_ACTIONS,
    *CONSENTS,
)
ORDER_ACTIONS = ("order", "pay", "fulfil", "edit_order", "refund", "cancel")
ACTIONS = (*CUSTOMER_ACTIONS, "merge", *ORDER_ACTIONS)


def act(shop: Shop, action: str, identifier: int | str | None, given: dict[str, Any]) -> Customer | Order:
    """Do one thing. Field names may be written as in the API or with underscores; an unknown one is a KeyError.

    A merge takes the other customer as `with`, and gives the customer that is kept. What is done to an order takes the
    order's id and gives the order; placing one takes the customer's, or None for a guest.
    """
    fields = {snake(key): value for key, value in given.items()}
    if action in ORDER_ACTIONS:
        return _order(shop, action, identifier, fields)
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
        case "redact":
            return shop.redact(number)
        case "request_data":
            return shop.request_data(number)
        case "enable" | "disable":
            return shop.update(number, state=f"{action}d".upper())
        case "tags_add":
            return shop.add_tags(number, fields["tags"])
        case "tags_remove":
            return shop.remove_tags(number, fields["tags"])
        case "merge":
            return _merge(shop, number, **fields)
        case _ if action in CONSENTS:
            level = fields.get("level", "SINGLE_OPT_IN")
            return shop.consent(CONSENTS[action], number, fields["state"].upper(), level)
        case _:
            raise ValueError(f"There is no action {action!r}; the actions are {', '.join(ACTIONS)}")


def _order(shop: Shop, action: str, identifier: int | str | None, fields: dict[str, Any]) -> Order:
    if action == "order" and identifier is None:
        return shop.place_order(None, **fields)
    kind = "Customer" if action == "order" else "Order"
    number = None if identifier is None else number_of(kind, identifier)
    if number is None:
        raise Refused(Mistake(("id",), f"{kind} does not exist"))
    match action:
        case "order":
            return shop.place_order(number, **fields)
        case "pay":
            return shop.pay_order(number)
        case "fulfil":
            return shop.fulfil_order(number, **fields)
        case "edit_order":
            return shop.edit_order(number, **fields)
        case "refund":
            return shop.refund_order(number, **fields)
        case _:
            return shop.cancel_order(number, **fields)


def _merge(shop: Shop, number: int, **fields: Any) -> Customer:
    other = number_of("Customer", fields["with"])
    keep = fields.get("override_email_of")
    asked = shop.merge(number, other or 0, override_email_of=None if keep is None else number_of("Customer", keep))
    # Without a wait in between it is carried out here, and what it causes is told now.
    return shop.customers[asked.kept]
