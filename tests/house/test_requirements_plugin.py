"""The count of requirements held is honest: what did not run and pass everywhere does not count."""

import json
from typing import Any

import pytest

from tests.support import requirements
from tests.support.tree import ROOT


def run(pytester: pytest.Pytester, text: str, *arguments: str) -> tuple[dict[str, Any], list[str]]:
    """Run a test file with the plugin alone; what it wrote, and the lines printed."""
    pytester.makepyfile("import pytest\n\n" + text)
    ran = pytester.runpytest_inprocess("-p", "no:hypothesispytest", *arguments, plugins=[requirements])
    written = json.loads((pytester.path / "build" / "requirements.json").read_text())
    return written, ran.outlines


def test_there_are_130_requirements() -> None:
    assert len(set(requirements.REQUIREMENTS)) == 130


def test_one_that_passed_is_held_and_the_count_is_the_last_line(pytester: pytest.Pytester) -> None:
    written, lines = run(pytester, "@pytest.mark.req('K1', 'M82')\ndef test_it(): pass")
    assert written["held"] == ["K1", "M82"]
    assert written["not_held"] == {}
    assert len(written["not_named"]) == 128
    assert lines[-1] == "requirements held: 2 of 130"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("assert False", "failed"),
        ("pytest.skip('not today')", "skipped"),
        ("pytest.xfail('known')", "skipped"),
    ],
)
def test_every_test_that_names_it_must_pass(pytester: pytest.Pytester, body: str, outcome: str) -> None:
    text = f"@pytest.mark.req('K1')\ndef test_a(): pass\n\n@pytest.mark.req('K1')\ndef test_b(): {body}"
    written, lines = run(pytester, text)
    assert written["held"] == []
    assert written["not_held"] == {"K1": [f"{_file(pytester)}::test_b: {outcome}"]}
    assert lines[-1] == "requirements held: 0 of 130"


def _file(pytester: pytest.Pytester) -> str:
    return next(pytester.path.glob("test_*.py")).name


def test_a_fault_in_the_tear_down_counts(pytester: pytest.Pytester) -> None:
    text = (
        "@pytest.fixture\ndef late():\n    yield\n    assert False\n\n@pytest.mark.req('K1')\ndef test_it(late): pass"
    )
    written, _ = run(pytester, text)
    assert written["held"] == []


ON_BOTH = """
@pytest.fixture(params=['sqlite', 'postgres'])
def database_url(request): return request.param

@pytest.mark.req('K1')
def test_it(database_url): {}
"""


def test_both_databases_are_needed(pytester: pytest.Pytester) -> None:
    written, _ = run(pytester, ON_BOTH.format("assert database_url != 'postgres'"))
    assert list(written["not_held"]) == ["K1"]


def test_both_databases_hold_it(pytester: pytest.Pytester) -> None:
    written, _ = run(pytester, ON_BOTH.format("pass"))
    assert written["held"] == ["K1"]


def test_a_database_left_out_is_not_held(pytester: pytest.Pytester) -> None:
    written, _ = run(pytester, ON_BOTH.format("pass"), "-k", "sqlite")
    assert written["not_held"] == {"K1": [f"{_file(pytester)}::test_it[postgres]: not run"]}


def test_a_database_never_collected_is_not_held(pytester: pytest.Pytester) -> None:
    text = (
        "@pytest.mark.req('K1')\n@pytest.mark.parametrize('database_url', ['sqlite'])\ndef test_it(database_url): pass"
    )
    written, _ = run(pytester, text)
    assert written["not_held"] == {"K1": ["no test runs on postgres"]}


def test_a_test_of_one_database_alone_may_stand_beside_one_of_both(pytester: pytest.Pytester) -> None:
    alone = (
        "\n@pytest.mark.req('K1')\n@pytest.mark.parametrize('database_url', ['sqlite'])\ndef test_more(database_url): "
    )
    written, _ = run(pytester, ON_BOTH.format("pass") + alone + "pass")
    assert written["held"] == ["K1"]
    written, _ = run(pytester, ON_BOTH.format("pass") + alone + "assert False")
    assert written["held"] == []


IN_SEVERAL = """
import os

@pytest.mark.req('K1')
def test_fine(): pass

@pytest.mark.req('K1', 'K2')
def test_ends_its_process(): os._exit(1)

@pytest.mark.req('K3')
def test_held(): pass

@pytest.mark.req('K4')
def test_left_out(): pass
"""


def test_with_several_processes_it_counts_the_same(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile("import pytest\n" + IN_SEVERAL)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    alone = ("-p", "no:hypothesispytest", "-p", "tests.support.requirements")
    ran = pytester.runpytest_subprocess(*alone, "-n", "1", "-k", "not left_out")
    written = json.loads((pytester.path / "build" / "requirements.json").read_text())
    assert written["held"] == ["K3"]
    assert written["not_held"]["K1"] == written["not_held"]["K2"]
    assert written["not_held"]["K1"][0].endswith("::test_ends_its_process: failed")
    assert written["not_held"]["K4"][0].endswith("::test_left_out: not run")
    assert ran.outlines[-1] == "requirements held: 1 of 130"


def test_a_requirement_that_does_not_exist_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.req('K49')\ndef test_it(): pass")
    ran = pytester.runpytest_inprocess("-p", "no:hypothesispytest", plugins=[requirements])
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*test_it names K49"])


def test_a_list_of_tests_is_no_result(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.req('K1')\ndef test_it(): pass")
    pytester.runpytest_inprocess("-p", "no:hypothesispytest", "--collect-only", plugins=[requirements])
    assert not (pytester.path / "build").exists()
