"""What the documentation says is so: its links lead somewhere, its commands exist, and its reference is up to date."""

import functools
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from onewriter.cli import commands
from onewriter.settings import SETTINGS, Setting
from tests.support.tree import ROOT, modules, texts

TOOL = ROOT / "tools" / "docs.py"
REFERENCE = ROOT / "docs" / "reference"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = {"sh", "bash", "console"}
SPAN = re.compile(r"`(onewriter [^`\"]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
OPTION = re.compile(r"--?[a-zA-Z][\w-]*")


@functools.cache
def tool() -> ModuleType:
    """tools/ is no package, so that the module is loaded from its file."""
    spec = importlib.util.spec_from_file_location("docs_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def known() -> dict[str, click.Command]:
    """Every command that people see, as they type it."""
    return dict(commands())


def pages() -> dict[Path, str]:
    """Every page of the repository."""
    return {path: text for path, text in texts().items() if path.suffix == ".md"}


# ---- The reference --------------------------------------------------------------------------------------------------


def test_the_generated_pages_are_what_the_code_says() -> None:
    assert tool().stale() == [], "Run `python tools/docs.py`."


def test_every_command_is_explained() -> None:
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    headings = set(HEADING.findall(page))
    assert [path for path, command in known().items() if not command.help] == []
    assert set(known()) - headings == set()


def test_every_option_is_explained() -> None:
    silent = [
        f"{path} {parameter.name}"
        for path, command in known().items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden and not parameter.help
    ]
    assert silent == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_explained(setting: Setting) -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert f"`{setting.variable}`" in page
    assert setting.help in page.replace("\\|", "|")


def test_comments_beside_columns_are_read() -> None:
    source = 'things = Table(\n    Column("id", Text),\n    Column("box", LargeBinary),  # sealed ...\n)\n'
    assert tool().column_comments(source) == {"things": {"box": "sealed"}}


# ---- Links ----------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings make."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(without_code(text)))
    return {heading.replace(" ", "-") for heading in plain}


def without_code(text: str) -> str:
    """The page without its code blocks, where brackets and hashes mean something else."""
    return FENCE.sub("", text)


def broken_links(path: Path, text: str) -> Iterator[str]:
    """The relative links of a page that lead nowhere."""
    for target in LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            yield target


def test_every_link_leads_somewhere() -> None:
    broken = {path.relative_to(ROOT).as_posix(): list(broken_links(path, text)) for path, text in pages().items()}
    assert {name: found for name, found in broken.items() if found} == {}


def test_a_broken_link_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# One thing\n[a](#one-thing) [b](#two) [c](gone.md) [d](https://example.com) [e](page.md#one-thing)\n"
    page.write_text(text)
    assert list(broken_links(page, text)) == ["#two", "gone.md"]


# ---- Commands in the text -------------------------------------------------------------------------------------------


def typed(text: str) -> Iterator[str]:
    """The lines of a page's shell blocks that give a command of ours, whole."""
    for language, block in FENCE.findall(text):
        if language not in SHELLS:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if language != "console" or line.startswith("$ "):
                yield line.removeprefix("$ ")


def ours(line: str) -> list[str] | None:
    """The words of a command of ours, beginning with `onewriter`; None for a line that is none."""
    words = shlex.split(line, comments=True)
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if not words or Path(words[0]).name != "onewriter":
        return None
    ends = [words.index(sign) for sign in ("|", ">", "&", "&&") if sign in words]
    return ["onewriter", *words[1 : min(ends, default=len(words))]]


def wrong(words: list[str]) -> str | None:
    """What is wrong with a command: it does not exist, or has no such option; None if nothing is."""
    path = "onewriter"
    rest = words[1:]
    while rest and f"{path} {rest[0]}" in known():
        path, rest = f"{path} {rest[0]}", rest[1:]
    command = known()[path]
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        return f"{path} has no command {rest[0]}"
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in rest if OPTION.match(word)}
    unknown = given - options - {"-h", "--help"}
    return f"{path} has no option {', '.join(sorted(unknown))}" if unknown else None


def faults(text: str) -> list[str]:
    """What is wrong with the commands of a page, in its shell blocks and its code spans."""
    spans = [span.replace("\n", " ") for span in SPAN.findall(without_code(text))]
    found = [wrong(words) for line in (*typed(text), *spans) if (words := ours(line)) is not None]
    return [fault for fault in found if fault is not None]


def test_every_command_that_a_page_names_exists() -> None:
    found = {path.relative_to(ROOT).as_posix(): faults(text) for path, text in pages().items()}
    assert {name: named for name, named in found.items() if named} == {}


def test_every_command_that_a_message_names_exists() -> None:
    found = {path.name: faults(path.read_text(encoding="utf-8")) for path in modules()}
    assert {name: named for name, named in found.items() if named} == {}


def test_a_wrong_command_would_be_seen() -> None:
    page = (
        "Say `onewriter sing`.\n```sh\n.venv/bin/onewriter settings --aloud | head\n```\n"
        "```console\n$ A=1 onewriter settings --help\nonewriter sing\n```\n"
    )
    assert faults(page) == ["onewriter settings has no option --aloud", "onewriter has no command sing"]
