"""`onewriter settings`: every setting, its value and where it is from."""

from typing import Any

import click

from onewriter import settings as known
from onewriter.cli.inputs import as_json
from onewriter.cli.output import answer, table


@click.command("settings")
@as_json
def settings(as_json: bool) -> None:
    """List every setting, its value and where it is from.

    Settings come from the environment (ONEWRITER_NAME), from onewriter.toml in the current folder or the file that
    ONEWRITER_CONFIG names, or are the default. Secrets show as ***.
    """
    found = known.load()
    documents = [_document(setting, found) for setting in known.SETTINGS]

    def tell() -> None:
        columns = ("name", "value", "source", "unit", "help")
        table([column.upper() for column in columns], ([one[column] for column in columns] for one in documents))

    answer(as_json, documents, tell)


def _document(setting: known.Setting, found: known.Settings) -> dict[str, Any]:
    return {
        "name": setting.name,
        "variable": setting.variable,
        "value": found.shown()[setting.name],
        "source": found.sources[setting.name],
        "default": setting.default,
        "unit": setting.unit,
        "help": setting.help,
        "secret": setting.secret,
    }
