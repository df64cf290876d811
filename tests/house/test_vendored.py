"""What the pages load of others is what its makers published: each file by its checksum, with its licence beside it."""

import tomllib
from hashlib import sha256

import pytest

from tests.support.tree import ROOT

FOLDER = ROOT / "src" / "onewriter" / "web" / "static" / "vendor"
LISTED = tomllib.loads((FOLDER / "list.toml").read_text(encoding="utf-8"))["package"]
FILES = [(package["name"], file) for package in LISTED for file in package["files"]]


@pytest.mark.parametrize(("package", "file"), FILES, ids=lambda each: each if isinstance(each, str) else each["name"])
def test_each_file_is_as_it_was_published(package: str, file: dict[str, str]) -> None:
    assert sha256((FOLDER / file["name"]).read_bytes()).hexdigest() == file["sha256"], package


def test_every_file_is_on_the_list() -> None:
    there = {each.name for each in FOLDER.iterdir()} - {"list.toml"}
    assert there == {file["name"] for _package, file in FILES}


@pytest.mark.parametrize("package", LISTED, ids=lambda package: package["name"])
def test_each_package_names_a_version_and_a_licence_that_lies_beside_it(package: dict[str, object]) -> None:
    assert package["version"]
    assert package["licence"]
    files = package["files"]
    assert isinstance(files, list)
    assert any(file["name"].endswith(".LICENSE") for file in files)
