"""Living shops: a fault that is planted in a shop which the real engine keeps is found, and what is found is true."""

import pytest

from onewriter.bench.living.catalogue import FAULTS
from onewriter.bench.living.examined import made
from onewriter.bench.living.making import lived
from onewriter.rules.diagnosis.diagnosing import diagnose
from onewriter.rules.diagnosis.evidence import Hand, Side

CAUSES = sorted({fault.cause for fault in FAULTS})
SEED = 1


@pytest.mark.parametrize("cause", CAUSES)
def test_what_was_planted_is_what_is_named(cause: str) -> None:
    [shop] = made(SEED, 1, cause)
    cases = [case for case in diagnose(shop.evidence).cases if shop.field in case.group.fields]
    assert cases, "nothing was found"
    assert cases[0].group.causes[0].cause == cause


def test_there_are_all_26() -> None:
    assert len(CAUSES) == 26


def test_the_log_is_that_of_both_systems_in_one_order() -> None:
    fault = next(each for each in FAULTS if each.cause == "two_writers")
    shop = lived(SEED, fault)
    writes = list(shop.evidence.writes or ())
    assert [each.seq for each in writes] == list(range(1, len(writes) + 1))
    ours = [each for each in writes if each.side is Side.TARGET and each.hand is Hand.CONNECTOR]
    by_seq = {each.seq: each for each in writes}
    carried = [each for each in ours if each.caused_by is not None]
    assert len(carried) > len(ours) / 2
    assert all(by_seq[each.caused_by or 0].side is Side.SOURCE for each in carried)
