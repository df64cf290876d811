"""`onewriter settings`: every setting, its value and where it is from."""

import click

from onewriter import settings as known
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, table
from onewriter.desk import settings as told


@click.command("settings")
@as_json
def settings(as_json: bool) -> None:
    """List every setting, its value and where it is from.

    Settings come from the environment (ONEWRITER_NAME), from onewriter.toml in the current folder or the file that
    ONEWRITER_CONFIG names, or are the default. Secrets show as ***.
    """
    documents = told.documents(known.load())

    def tell() -> None:
        columns = ("name", "value", "source", "unit", "help")
        table(
            [column.upper() for column in columns],
            ([one[column] for column in columns] for one in map(dict, documents)),
        )

    answer(as_json, documents, tell)
