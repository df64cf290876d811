"""What the commands about points and merges share: whom they mean, the texts that they take, and columns of figures."""

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.desk import pointing
from onewriter.desk.pointing import Meant
from onewriter.desk.points_by_hand import line
from onewriter.errors import BadInput
from onewriter.runtime import Runtime


class OneLine(click.ParamType[str]):
    """Text of one line: not empty, nothing that steers a terminal, and not endless."""

    name = "text"

    def __init__(self, most: int) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text without the blanks around it."""
        try:
            return line(str(value), self.most, self.name)
        except BadInput as error:
            told = str(error)
            self.fail(told[0].lower() + told[1:].rstrip("."), param, ctx)


def meant(runtime: Runtime, db: Connection, domain: str | None, text: str) -> Meant:
    """Whom a text means in the shop that was named with --shop, and who has the points."""
    return pointing.meant(runtime, db, session.choose_shop(db, domain).domain, text)


def signed(points: int) -> str:
    """Points as a ledger writes them."""
    return f"{points:+,}"


def in_columns(rows: Sequence[Sequence[Any]], *numbers: int) -> list[list[Any]]:
    """The rows with the columns of these places set to the right, as numbers are."""
    widths = {place: max((len(row[place]) for row in rows), default=0) for place in numbers}
    return [[cell.rjust(widths[at]) if at in widths else cell for at, cell in enumerate(row)] for row in rows]
