"""The command line: one file a command group, imported only when it is called.

Exit codes: 0 did what it says, 1 findings, 2 usage, 3 cannot reach (the database, Shopify), 4 failed, 5 partly done.
"""

from collections.abc import Iterator, Sequence

import click

from onewriter import __version__
from onewriter.cli.frame import Listed, Root

LISTED = (
    Listed("demo", "onewriter.cli.demo:demo", "Show onewriter at work on a sandbox shop."),
    Listed("shop", "onewriter.cli.shop:group", "Connect shops, list, show and disconnect them."),
    Listed("serve", "onewriter.cli.serve:serve", "Start the service: the web process and a worker, until Ctrl-C."),
    Listed("worker", "onewriter.cli.serve:worker", "Start a worker alone."),
    Listed("sync", "onewriter.cli.sync:group", "Queue work that brings us in step with Shopify."),
    Listed("runs", "onewriter.cli.runs:group", "List, show, watch and resume runs."),
    Listed("customers", "onewriter.cli.customers:group", "Find customers and show them."),
    Listed(
        "systems", "onewriter.cli.systems:group", "Connect other systems, and run, show and take back their cycles."
    ),
    Listed("fields", "onewriter.cli.fields:group", "Say who may write each field, and how systems hold it."),
    Listed("csv", "onewriter.cli.csv:group", "Check, import and write files of customers, and take an import back."),
    Listed("parked", "onewriter.cli.parked:group", "See values that had nowhere to go, and release or drop them."),
    Listed("audit", "onewriter.cli.audit:group", "Find where to begin when systems disagree."),
    Listed("cases", "onewriter.cli.cases:group", "See why systems disagree, and what to do about it."),
    Listed("diagnose", "onewriter.cli.diagnose:diagnose", "Say why two systems disagree, out of a folder of exports."),
    Listed(
        "links",
        "onewriter.cli.links:group",
        "See which record of which system is whose, and take records apart or together.",
    ),
    Listed("programme", "onewriter.cli.programme:group", "Show the rules that give points, and set or try others."),
    Listed("points", "onewriter.cli.points:group", "Show customers' points, redeem and adjust them, decide who earns."),
    Listed("merge", "onewriter.cli.merge:group", "See what merging two customers comes to, and undo it for points."),
    Listed("identity", "onewriter.cli.identity:group", "Explain who is taken for whom, on values and files of yours."),
    Listed("inbox", "onewriter.cli.inbox:group", "Look at deliveries, and decide about parked ones."),
    Listed("questions", "onewriter.cli.questions:group", "See what waits for a person, and answer it."),
    Listed(
        "privacy",
        "onewriter.cli.privacy:group",
        "Do what the law asks: export, erase and purge customers, and see who saw what.",
    ),
    Listed("keys", "onewriter.cli.keys:group", "Make, list and replace the master keys, and copy the key store."),
    Listed("backup", "onewriter.cli.backup:backup", "Write an encrypted backup of the main database."),
    Listed(
        "restore-backup",
        "onewriter.cli.backup:restore_backup",
        "Put a backup in the place of everything in the main database.",
    ),
    Listed("people", "onewriter.cli.people:group", "Say who may see what and change what here."),
    Listed("tokens", "onewriter.cli.tokens:group", "Let programs ask the API."),
    Listed("check", "onewriter.cli.check:check", "Check whether this installation is healthy."),
    Listed("notify", "onewriter.cli.notify:group", "See what people were told of, and test how they are told."),
    Listed("settings", "onewriter.cli.settings:settings", "List every setting, its value and where it is from."),
    Listed("sandbox", "onewriter.cli.sandbox:sandbox", "Run a simulated Shopify shop until Ctrl-C."),
    Listed("bench", "onewriter.cli.bench:bench", "Measure onewriter here, and simulate whatever can go wrong."),
    Listed("web", "onewriter.cli.serve:web", "Start the web process alone.", hidden=True),
    Listed("prepare", "onewriter.cli.serve:prepare", "Bring the databases up to date.", hidden=True),
)
"""Every command, in the order that tells the story."""

EPILOG = """\b
Exit codes: 0 did what it says, 1 findings, 2 usage, 3 cannot reach the
database or Shopify, 4 failed, 5 partly done.

With --json a command prints one JSON document to standard output (runs watch:
one a change), with times as ISO 8601 in UTC; an error is the document
{"error": {"kind": ..., "message": ...}}. Logs and bars go to standard error.
"""

root = Root(
    LISTED,
    name="onewriter",
    help="Keep a Shopify shop's customers in step with every connected system: one writer per field.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, prog_name="onewriter", message="%(prog)s %(version)s")(root)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    root.main(args, prog_name="onewriter")


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that people see, as they type it, groups before what is in them."""
    yield from _walk("onewriter", root, click.Context(root, info_name="onewriter"))


def _walk(path: str, command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _walk(f"{path} {name}", found, click.Context(found, context, info_name=name))
