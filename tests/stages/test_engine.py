"""The border to the databases: which of a driver's errors mean "try again", and which never will."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from onewriter.db.engine import Database
from onewriter.errors import DatabaseBusy


def test_a_statement_that_can_never_work_is_not_taken_for_a_busy_database(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(DBAPIError), database.write() as db:
        db.execute(text("SELECT * FROM a_table_that_is_not_there"))
    database.close()


def test_a_database_that_is_not_there_is_one_to_try_again(tmp_path: object) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder/onewriter.db", "postgresql://nobody@127.0.0.1:1/nothing"):
        database = Database(url)
        with pytest.raises(DatabaseBusy), database.read():
            pass
        database.close()
