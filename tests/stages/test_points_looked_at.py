"""What people would do with points is told before it is done, and leaves nothing behind."""

from onewriter.customers import people
from onewriter.customers.people import Role
from onewriter.desk import points_by_hand
from onewriter.desk.caller import Caller
from tests.support.loyal import Loyal


def test_what_is_only_looked_at_is_told_and_not_done(loyal: Loyal) -> None:
    loyal.customer(101, loyal.now)
    runtime, who = loyal.tea.runtime, "user:olga"
    with runtime.database.write() as db:
        people.give(db, who, who, Role.OWNER, loyal.now)
    caller = Caller(runtime, who)
    before = loyal.entries(101)
    redeeming = points_by_hand.redeeming(caller, 20, "till-1", "tea")
    looked = points_by_hand.do(caller, None, "101", redeeming, dry=True)
    assert (looked["account"]["balance"], looked["again"], loyal.entries(101)) == (30, False, before)
    done = points_by_hand.do(caller, None, "101", redeeming)
    assert (done["account"]["balance"], done["again"]) == (30, False), "it was not done by the look"
    assert points_by_hand.do(caller, None, "101", redeeming, dry=True)["again"]
