"""How merges of points look at a terminal, planned or done."""

from onewriter.cli.output import details, say, table
from onewriter.cli.pointed import in_columns, signed
from onewriter.desk.pointing import Document, entries_text, points_text


def tell_plan(document: Document, gone: str, stays: str) -> None:
    """Tell people what a merge would come to."""
    say(f"If Shopify merges {gone} into {stays}, their points become these. Nothing was changed.")
    say("Which of the two it keeps, Shopify decides, and this is not known before; here it is the second one.")
    say()
    _tell_totals(document)
    say()
    _tell_effects(document)
    after = document["after"]
    if after["excluded_at"] is not None:
        say(f"One of them is excluded: {stays} earns nothing by what happened from {after['excluded_at']} on.")
    say(_days_told(document))
    if after["ends_next"] is not None:
        say(f"Next, {points_text(after['ends_next']['points'])} end on {after['ends_next']['at']}.")
    say("Points keep the days on which they open and end. Tags are those of the kept customer, read after the merge.")


def _days_told(document: Document) -> str:
    days = {side: document[side]["inactivity_days"] for side in ("deleted", "kept", "after")}
    told = {side: "never end" if many is None else f"end after {many:,} days" for side, many in days.items()}
    if days["deleted"] == days["kept"] == days["after"]:
        return f"By inactivity its points {told['after']}, counted from the later activity of the two."
    return (
        f"By inactivity its points {told['after']}, counted from now at the earliest; "
        f"before, those of the first {told['deleted']}, and those of the second {told['kept']}."
    )


def tell_receipt(document: Document) -> None:
    """Tell people of one receipt."""
    say(f"Receipt {document['id']} of a merge in {document['shop']}")
    names = ("merged_at", "made_at", "made_by", "undone_at", "undone_by", "undone_why")
    details({name: document[name] for name in names if document[name] is not None})
    say()
    _tell_totals(document)
    say()
    if document["undone_at"] is not None:
        say("It was undone: the entries are their owners' again, and count.")
        return
    _tell_effects(document)


def _tell_totals(document: Document) -> None:
    sides = (("deleted", "deleted"), ("kept", "kept"), ("after", "both, after"))
    rows = []
    for side, told in sides:
        who = document[side].get("shopify_id") or document[side].get("id")
        rows.append([told, who, *(f"{document[side][name]:,}" for name in ("balance", "pending", "earned"))])
    table(("SIDE", "CUSTOMER", "BALANCE", "PENDING", "EARNED"), in_columns(rows, 2, 3, 4))


def _tell_effects(document: Document) -> None:
    dropped = document["dropped"]
    moved = entries_text(document["moved"]).capitalize()
    if not dropped:
        say(f"{moved} of the first go over to the second, and none of both is one too many.")
    else:
        lost = f"{entries_text(len(dropped))} of both, of {points_text(document['points_dropped'])}"
        say(f"{moved} of the first go over to the second. One too many, and not counting any more: {lost}.")
        columns = ("id", "of", "rule", "points", "reference", "why", "stays", "stays_of")
        rows = [[each[name] for name in columns] for each in dropped]
        rows = [[*row[:3], signed(row[3]), *row[4:]] for row in rows]
        table(("ENTRY", "OF", "RULE", "POINTS", "REFERENCE", "WHY", "STAYS", "OF"), in_columns(rows, 3))
    if document["floor"]:
        say(f"Points of these had been spent, so the balance is lifted by {points_text(document['floor'])}.")
