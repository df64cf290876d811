"""`onewriter sandbox`: a simulated Shopify shop to try onewriter on."""

from typing import TYPE_CHECKING

import click

from onewriter.cli.inputs import as_json
from onewriter.cli.output import details, emit, say
from onewriter.cli.processes import listening_errors, until_stopped

if TYPE_CHECKING:
    from onewriter.sandbox import SandboxInfo

PORT = 8481


@click.command("sandbox")
@click.option("--customers", type=click.IntRange(0, 5_000_000), default=500, show_default=True, help="How many it has.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same shop.")
@click.option("--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="0 takes any free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@as_json
def sandbox(customers: int, seed: int, port: int, host: str, as_json: bool) -> None:
    """Run a simulated Shopify shop until Ctrl-C.

    Prints its address and secrets, and the command that connects it. The secrets follow from the seed and open nothing
    but this shop.
    """
    from onewriter.sandbox import serve

    def ready(info: "SandboxInfo") -> None:
        document = {name: getattr(info, name) for name in info.__struct_fields__}
        document["connect"] = _connect_command(info)
        if as_json:
            emit(document)
        else:
            command = document.pop("connect")
            details(document)
            say(f"\nConnect it with:\n\n{command}\n")

    with until_stopped(), listening_errors(host, port):
        serve(customers, seed, port, host, ready=ready)


def _connect_command(info: "SandboxInfo") -> str:
    return (
        f"SHOPIFY_ACCESS_TOKEN={info.access_token} SHOPIFY_API_SECRET={info.api_secret} "
        f"onewriter shop connect {info.domain} "
        f"--admin-url {info.admin_url} --public-url http://127.0.0.1:8480"
    )
