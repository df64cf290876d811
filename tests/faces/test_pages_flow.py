"""The picture of how data flows says what the policy says."""

from onewriter.web.pages.flow import Flow, draw, flows


def test_the_picture_says_who_tells_whom_of_what() -> None:
    def held(field: str, owner: str, **ways: str) -> dict[str, object]:
        return {"field": field, "owner": owner, "systems": {name: {"direction": way} for name, way in ways.items()}}

    policy = {
        "fields": [
            held("email", "shopify", shopify="in", crm="out", erp="out"),
            held("tier", "crm", crm="in"),
            held("note", "shopify", shopify="in", crm="none"),
        ]
    }
    assert flows(policy) == [
        Flow("crm", "shopify", ("tier",)), Flow("shopify", "crm", ("email",)), Flow("shopify", "erp", ("email",)),
    ]  # fmt: skip


def test_a_name_that_is_markup_is_text_in_the_picture() -> None:
    policy = {
        "fields": [{"field": "<b>", "owner": "shopify", "systems": {"<i>": {"direction": "out"}}}],
    }
    picture = draw(policy)["picture"]
    assert "<i>" not in picture
    assert "<b>" not in picture
    assert "&lt;i&gt;" in picture
