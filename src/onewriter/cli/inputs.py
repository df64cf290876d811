"""What people type: shared options, and the checks of addresses, domains, secrets and consent."""

import ipaddress
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from onewriter.desk import choosing
from onewriter.desk.caller import REASON_MAX as REASON_MAX
from onewriter.errors import BadInput, Permanent

REGION = re.compile(r"[A-Z]{2}")

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
shop_option = click.option("--shop", "domain", metavar="DOMAIN", help="The shop, where there are several.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The most that are shown."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")


class Declined(Permanent):
    """Somebody was asked, and said no."""


def reveal_options(command: Command) -> Command:
    """--reveal and --why, which go together."""
    why = click.option("--why", metavar="TEXT", help="The reason for --reveal; it is logged with your name.")
    reveal = click.option("--reveal", is_flag=True, help="Show protected values in clear; needs --why.")
    return reveal(why(command))


def check_reveal(reveal: bool, why: str | None) -> str | None:
    """The reason for revealing; None when nothing is to be revealed."""
    if not reveal:
        if why is not None:
            raise click.UsageError("--why goes with --reveal")
        return None
    if why is None or not why.strip():
        raise click.UsageError("--reveal needs a reason: add --why TEXT")
    if len(why) > REASON_MAX:
        raise click.UsageError(f"--why is at most {REASON_MAX} letters")
    return why.strip()


def confirm(question: str, yes: bool) -> None:
    """Ask before something is destroyed; where nobody can be asked, --yes must have been given."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("This must be confirmed and nobody can be asked here, so add --yes")
    if not click.confirm(question, err=True):
        raise Declined("Nothing was changed.")


class Secret(click.ParamType[str]):
    """A secret: from the environment, from a file with @, or asked without echo with -.

    One that was typed on the command line is refused, since everybody on the machine can read that in `ps`.
    """

    name = "secret"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The secret; an error never holds it."""
        label = (param.name or "secret").replace("_", " ") if param is not None else "secret"
        given = str(value)
        if not given.startswith("@") and given != "-" and _was_typed(param, ctx):
            self.fail(f"the {label} stands on the command line, where `ps` shows it; {_elsewhere(param)}", param, ctx)
        secret = self._read(given, label).strip()
        if not secret or not secret.isascii() or not secret.isprintable():
            self.fail(f"the {label} is empty or not plain text", param, ctx)
        return secret

    def _read(self, value: str, label: str) -> str:
        if value == "-":
            if not sys.stdin.isatty():
                return sys.stdin.readline()
            return str(click.prompt(label.capitalize(), hide_input=True, err=True))
        if not value.startswith("@"):
            return value
        try:
            return Path(value[1:]).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"The file of the {label} cannot be read ({type(error).__name__})") from None


def _was_typed(param: click.Parameter | None, ctx: click.Context | None) -> bool:
    if param is None or param.name is None or ctx is None:
        return False
    return ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE


def _elsewhere(param: click.Parameter | None) -> str:
    ways = "give @FILE, or - to be asked"
    return f"{ways}, or set {param.envvar}" if param is not None and isinstance(param.envvar, str) else ways


def full_domain(given: str) -> str:
    """The myshopify.com domain that was meant; the bare name of a shop is completed."""
    try:
        return choosing.full_domain(given)
    except BadInput as error:
        raise click.UsageError(str(error).rstrip(".")) from None


def base_url(given: str, option: str) -> str:
    """A base address without a slash at its end: https, or http on this very machine."""
    try:
        parts = urlsplit(given.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username:
        raise click.UsageError(f"{option} must be an address such as https://onewriter.example.com")
    if parts.scheme == "http" and not is_loopback(host):
        raise click.UsageError(f"{option} must begin with https://, since it leaves this machine")
    return parts.geturl().rstrip("/")


def is_loopback(host: str) -> bool:
    """True for an address of this very machine; no name but localhost is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def region_code(given: str | None) -> str | None:
    """An ISO country code in capitals, or None."""
    if not given:
        return None
    code = given.strip().upper()
    if REGION.fullmatch(code) is None:
        raise click.UsageError("--region must be an ISO country code of two letters, such as CH")
    return code


def secret_option(name: str, variable: str, what: str, *, multiple: bool = False) -> Callable[[Command], Command]:
    """An option that takes a secret, or the environment variable that does."""
    return click.option(
        name, type=Secret(), envvar=variable, show_envvar=True, multiple=multiple, metavar="@FILE|-",
        help=f"{what}.",
    )  # fmt: skip
