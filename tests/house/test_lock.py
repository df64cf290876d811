"""What `make install` installs is what pyproject.toml allows, to the byte."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.tree import ROOT

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def pins() -> dict[str, str]:
    """The locked version of each package."""
    return {canonicalize_name(name): version for name, version in PIN.findall(text())}


def text() -> str:
    """The lock as it is written."""
    return (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_the_lock_names_no_host() -> None:
    assert "://" not in text()


def test_every_package_has_hashes() -> None:
    packages = re.split(r"^(?=[A-Za-z0-9])", text(), flags=re.MULTILINE)[1:]
    # One package may stand there twice, for two versions of Python.
    assert len(packages) == len(PIN.findall(text()))
    assert {canonicalize_name(package.split("==")[0]) for package in packages} == set(pins())
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_the_lock_is_up_to_date() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]
    wanted = [Requirement(line) for line in declared + project["build-system"]["requires"]]
    versions = pins()
    stale = [str(one) for one in wanted if not one.specifier.contains(versions.get(canonicalize_name(one.name), "0"))]
    assert stale == [], "Run `make lock`."
