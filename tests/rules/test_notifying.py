"""When a notice is tried again, which page it leads to, and that it stays one short line."""

from hypothesis import given
from hypothesis import strategies as st

from onewriter.records import DAY
from onewriter.rules.notifying import TEXT_MAX, WAITS, cut, next_try, path_of, signature


def test_a_notice_is_given_up_after_about_a_day() -> None:
    assert [next_try(tries, 0) for tries in range(1, len(WAITS) + 1)] == list(WAITS)
    assert next_try(len(WAITS) + 1, 0) is None
    assert DAY * 0.8 < sum(WAITS) <= DAY


def test_every_subject_leads_to_its_page() -> None:
    shop = "tea.myshopify.com"
    assert path_of("run 01a2", shop) == "/runs/01a2"
    assert path_of("case 3 of tea.myshopify.com, 2026-03-02", shop) == "/cases/3?shop=tea.myshopify.com"
    assert path_of("question 12, 2026-03-02", shop) == "/questions/12"
    assert path_of("request 7", shop) == "/privacy/requests/7"
    assert path_of("test", None) == "/"


def test_another_body_secret_or_time_has_another_signature() -> None:
    signed = signature("secret", b"{}", 5_000_000)
    assert signed.startswith("t=5,v1=")
    others = {signature("secret", b"{ }", 5_000_000), signature("other", b"{}", 5_000_000)}
    assert signed.partition("v1=")[2] not in {each.partition("v1=")[2] for each in others}
    assert signature("secret", b"{}", 6_000_000).partition("v1=")[2] != signed.partition("v1=")[2]


@given(st.text(max_size=2000))
def test_a_text_is_one_short_line(text: str) -> None:
    found = cut(text)
    assert len(found) <= TEXT_MAX
    assert found.splitlines() == [found] or not found
