"""The import where bulk does not do it: pages bring everybody, the reason is told, and a crash loses nobody."""

from typing import Any

import pytest

from onewriter.customers import runs
from onewriter.records import RunState
from onewriter.runtime import Runtime, now
from tests.support.importing import adds_up, begun, hurried, importer
from tests.support.joined import joined
from tests.support.wire import Wire, is_page


@pytest.mark.req("K3", "K8")
@pytest.mark.parametrize(
    ("faults", "says", "from_file"),
    [
        ({"wrong_count": 2}, "The bulk file holds 28 customers, but Shopify announced 30.", 28),
        ({"partial": True}, "Shopify's bulk operation ended as failed (INTERNAL_SERVER_ERROR).", 15),
        ({"expire": True}, "The bulk file was gone, or its link had expired, before it was read to its end.", 0),
        ({"refuse": True}, "Shopify had no room for a bulk operation for 30 min.", 0),
        ({"stall": True}, "Shopify's bulk operation stood still for 30 min.", 0),
        ({"wrong_count": 2, "corrupt_lines": 3}, "The bulk file holds 28 customers, but Shopify announced 30.", None),
    ],
)
def test_whom_bulk_does_not_bring_pages_bring(
    runtime: Runtime, faults: dict[str, Any], says: str, from_file: int | None
) -> None:
    with joined(runtime, 30, **faults) as shop:
        run = hurried(shop)
        assert (run.state, run.done, run.total) == (RunState.DONE, 30, 30)
        assert run.reason == f"{says} All customers were read by pages instead."
        assert (run.counts["created"], run.counts["by_pages"]) == (30, 30)
        assert from_file in (None, run.counts.get("unchanged", 0))
        assert shop.held() == shop.truth()
        assert adds_up(run)


def test_what_a_token_may_not_see_stays_unknown_when_pages_are_read(runtime: Runtime) -> None:
    with joined(runtime, 12) as shop:
        shop.shop.set_faults({"protected_denied": True})
        run = shop.carry_out()
        assert (run.state, run.done) == (RunState.DONE, 12)
        assert "(ACCESS_DENIED)" in (run.reason or "")
        held, truth = shop.held(), shop.truth()
        assert {number: fields["tags"] for number, fields in held.items()} == {
            number: fields["tags"] for number, fields in truth.items()
        }
        assert all("email" not in fields for fields in held.values())


@pytest.mark.req("K8")
@pytest.mark.parametrize("faults", [{"wrong_count": 1}, {"partial": True}])
def test_an_import_by_pages_goes_on_from_its_page(runtime: Runtime, faults: dict[str, Any]) -> None:
    with joined(runtime, 300, **faults) as shop:
        # So many pages are more than the shop's budget lets through at once: it must be waited for as it asks.
        runtime.client_options = {}

        def killed_amid_pages() -> int:
            run = shop.run()
            if run.checkpoint.get(runs.FEED, {}).get("after"):
                raise KeyboardInterrupt
            return now()

        with pytest.raises(KeyboardInterrupt):
            importer(shop, killed_amid_pages).run(begun(shop))
        half = shop.run()
        assert (half.state, 0 < half.done < 300) == (RunState.RUNNING, True)
        run = shop.carry_out()
        assert (run.state, run.done, run.counts["created"], run.attempt) == (RunState.DONE, 300, 300, 2)
        assert runs.FEED not in run.checkpoint, "Shopify writes a customer's id into a cursor"
        assert len(shop.bulk_operations) == 1
        assert shop.held() == shop.truth()


@pytest.mark.req("K12")
def test_a_delivery_that_is_newer_than_the_page_is_not_overwritten_by_it(runtime: Runtime, wire: Wire) -> None:
    with joined(runtime, 40, wrong_count=40) as shop:
        number = shop.shop.ids[7]

        def change_behind_the_page(body: bytes) -> None:
            if is_page(body):
                shop.shop.update(number, first_name="Newer")
                shop.hear()
                shop.drain()

        wire.afterwards = change_behind_the_page
        run = shop.carry_out()
        assert (run.state, wire.pages, run.done) == (RunState.DONE, 1, 40), "it did not come again on a later page"
        assert shop.profile(number).own["first_name"] == "Newer"
        shop.follow()
        assert shop.held() == shop.truth()
