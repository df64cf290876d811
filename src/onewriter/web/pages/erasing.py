"""Erasing one customer for good, and handing out all that is held of one: an owner's work, each for a reason."""

import io
import zipfile
from typing import Any

from starlette.responses import Response

from onewriter.customers import find
from onewriter.customers.people import Role
from onewriter.desk import erasures, exports
from onewriter.desk.caller import reason
from onewriter.errors import BadInput, Unknown, UnknownCustomer
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import number, whole

# ---- Erasing --------------------------------------------------------------------------------------------------------


def before_erasing(visit: Visit) -> Response:
    """Whom, and why."""
    return _ask(visit, 200, customer=visit.asked("customer") or "")


def _ask(visit: Visit, code: int, **typed: str | None) -> Response:
    return visit.render("privacy/erase.html", code, **{"customer": "", "why": "", "wrong": None, "meant": None} | typed)


def erase(visit: Visit) -> Response:
    """Show whom it takes; or, once that was seen and is meant, erase them."""
    customer, why, seen = visit.text("customer"), visit.text("why"), visit.text("customers")
    try:
        said = reason(why)
        _refuse_other_than_id(customer)
        if not visit.text("do_it"):
            with visit.runtime.database.read() as db:
                visit.caller.require(db, Role.OWNER)
            return _confirm(visit, 200, customer, said)
        if visit.text("sure") != "yes":
            return _confirm(visit, 422, customer, said, "Say that you are sure: it cannot be undone.")
        told = whole(seen) or 0
        erased = erasures.erase(visit.caller, visit.shop_named, customer, said, seen=told)
    except (BadInput, Unknown) as error:
        return _ask(visit, 422, customer=customer, why=why, wrong=str(error))
    return visit.go("/privacy/receipts", f"Erased: {erased['erased']}. Receipt {erased['receipt']}.")


def _confirm(visit: Visit, code: int, customer: str, why: str, wrong: str | None = None) -> Response:
    meant = erasures.whom(visit.caller, visit.shop_named, customer)
    common: dict[str, Any] = {"customer": customer, "why": why, "wrong": wrong}
    return visit.render("privacy/erase.html", code, meant=meant, **common)


def _refuse_other_than_id(customer: str) -> None:
    if not find.is_id(customer):
        raise UnknownCustomer("Name the customer by Shopify's number or our id.")


# ---- Handing out ----------------------------------------------------------------------------------------------------


def before_export(visit: Visit) -> Response:
    """Whose data, and why."""
    return _ask_export(visit, 200, customer=visit.asked("customer") or "")


def _ask_export(visit: Visit, code: int, **typed: str | None) -> Response:
    return visit.render("privacy/export.html", code, **{"customer": "", "why": "", "wrong": None} | typed)


def export(visit: Visit) -> Response:
    """Everything that is held of one customer, as files in one archive that no browser keeps."""
    customer, why = visit.text("customer"), visit.text("why")
    try:
        said = reason(why)
        _refuse_other_than_id(customer)
        wanted = exports.sought(visit.caller, visit.shop_named, customer, None)
    except (BadInput, Unknown, exports.NothingHeld) as error:
        return _ask_export(visit, 422, customer=customer, why=why, wrong=str(error))
    exports.permit(visit.caller, wanted, said)
    return _archive(exports.opened(visit.caller, wanted))


def export_for_request(visit: Visit) -> Response:
    """The same for a request, which is answered by it; of nobody, only that."""
    request_id, customer = number(visit, "request_id"), visit.text("customer") or None
    if customer is not None:
        _refuse_other_than_id(customer)
    wanted = exports.sought(visit.caller, None, customer, request_id)
    exports.permit(visit.caller, wanted, visit.text("why") or None)
    if wanted.whom is None:
        exports.end(visit.caller, wanted)
        return visit.go(f"/privacy/requests/{request_id}", "Nothing is held of that customer; the request is done.")
    answer = _archive(exports.opened(visit.caller, wanted))
    exports.end(visit.caller, wanted)
    return answer


def _archive(document: exports.ExportDocument) -> Response:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in exports.files(document):
            archive.writestr(name, text)
    name = f"customer-{document['customers'][0]}" if document["customers"] else "customer"
    headers = {"content-disposition": f'attachment; filename="{name}.zip"', "cache-control": "no-store"}
    return Response(packed.getvalue(), headers=headers, media_type="application/zip")


PAGES = [
    Page("/privacy/erase", before_erasing, role=Role.OWNER),
    Page("/privacy/erase", erase, "POST"),
    Page("/privacy/export", before_export, role=Role.OWNER),
    Page("/privacy/export", export, "POST"),
    Page("/privacy/requests/{request_id}/export", export_for_request, "POST"),
]
