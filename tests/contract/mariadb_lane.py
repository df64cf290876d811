"""The kind `sql` on a real MariaDB server, where there is one: `make test-mariadb` starts it.

It conforms, and it does what the stages of the other databases do: those are run here once more.
"""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, make_url, text

from onewriter.connectors.conformance import run
from onewriter.connectors.sql import SqlTable
from tests.stages import test_sql_tables as stages
from tests.support.crm_tables import MariadbTable

URL = os.environ.get("MARIADB_URL")
pytestmark = pytest.mark.skipif(URL is None, reason="MARIADB_URL names no server; `make test-mariadb` starts one")

typed = stages.typed
test_limits = stages.test_limits_are_read_from_the_table
test_unfit = stages.test_what_does_not_fit_is_refused_with_the_field
test_fit = stages.test_a_value_comes_back_as_it_was_written
test_taken = stages.test_a_value_that_another_row_has_is_refused_without_telling_it
test_order = stages.test_several_patches_of_one_row_are_done_in_their_order
test_blank = stages.test_empty_is_an_empty_text_where_the_settings_say_so
test_touch = stages.test_a_write_moves_time_and_version_only_where_the_settings_say_so
test_twice = stages.test_rows_that_share_a_key_all_come_and_none_is_written
test_no_key = stages.test_what_cannot_be_a_key_names_nobody
test_intent = stages.test_a_new_row_has_the_same_key_for_the_same_intent
test_future = stages.test_a_row_of_the_future_hides_no_change_and_is_told


@pytest.fixture
def place() -> Iterator[stages.Place]:
    """A new database on the server."""
    url = make_url(str(URL)).set(drivername="mariadb+pymysql")
    maker = create_engine(url)
    with maker.begin() as db:
        db.execute(text("CREATE OR REPLACE DATABASE stages CHARACTER SET utf8mb4"))
    maker.dispose()
    made = stages.Place(url.set(database="stages").render_as_string(hide_password=False))
    yield made
    for each in made.opened:
        each.close()
    made.engine.dispose()


@pytest.mark.contract
def test_a_table_of_mariadb_conforms() -> None:
    table = MariadbTable(str(URL))
    found = list(run(SqlTable(table.clock), table.configuration, table))
    table.close()
    assert [f"{each.name}: {each.detail}" for each in found if each.verdict == "failed"] == []
    applied = {each.name for each in found if each.verdict == "not applicable"}
    assert applied == {"change of a child brings its record", "what the system makes of a value is told"}
    assert table.proxy.lost >= 2
