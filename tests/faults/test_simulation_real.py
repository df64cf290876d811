"""The simulation with processes of its own, which are killed while a shop lives."""

from pathlib import Path

import pytest

from onewriter.bench.simulate.real import KILLS, play_real
from onewriter.bench.simulate.stages import quietly


@pytest.mark.req("K8", "K14", "K15", "K16")
@pytest.mark.time_limit(240)
def test_processes_that_are_killed_end_as_the_shop(database_url: str, keys_url: str, tmp_path: Path) -> None:
    place = {"ONEWRITER_DATA_DIR": str(tmp_path / "data")}
    kind = "sqlite" if database_url.startswith("sqlite") else "postgres"
    if kind == "postgres":
        place |= {"ONEWRITER_DATABASE_URL": database_url, "ONEWRITER_KEYSTORE_URL": keys_url}
    with quietly():
        tally = play_real(1, place, kind, 120)
    assert tally.wrong == []
    assert (tally.after, tally.missing) == (0, 0)
    assert tally.crashes.total() == KILLS
    assert tally.deliveries > 60
