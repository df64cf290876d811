"""Notices: what people were told of and whether it arrived; a test of every way, and another try."""

from typing import Any

from typing_extensions import TypedDict

from onewriter.customers import notices
from onewriter.customers.notices import Told
from onewriter.customers.people import Role
from onewriter.desk import paging
from onewriter.desk.caller import Caller
from onewriter.records import iso
from onewriter.workflows import notifying
from onewriter.workflows.channels import channels


class NoticeDocument(TypedDict):
    """A notice over one channel, and what became of it."""

    id: int
    kind: str
    subject: str
    shop: str | None
    text: str
    channel: str
    state: str
    tries: int
    made_at: str | None
    next_at: str | None
    sent_at: str | None
    error: str | None


class NoticePage(TypedDict):
    """A page of notices, the newest first."""

    items: list[NoticeDocument]
    next: str | None


class Tried(TypedDict):
    """Whether a test arrived over one channel, and what went wrong where it did not."""

    channel: str
    arrived: bool
    error: str | None


def ways(caller: Caller) -> list[str]:
    """The channels that are set; raises BadSetting for one that is set by half."""
    return [way.name for way in channels(caller.runtime)]


def listed(caller: Caller, cursor: str | None, limit: int) -> NoticePage:
    """A page of what people were told of."""
    keys = paging.behind(cursor, int)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        found = notices.listed(db, limit + 1, None if keys is None else keys[0])
    kept, following = paging.page(found, limit, lambda one: (one.id,))
    return {"items": [_document(one) for one in kept], "next": following}


def _document(one: Told) -> NoticeDocument:
    return {
        "id": one.id,
        "kind": one.kind,
        "subject": one.subject,
        "shop": one.shop,
        "text": one.text,
        "channel": one.channel,
        "state": one.state,
        "tries": one.tries,
        "made_at": iso(one.made_at),
        "next_at": iso(one.next_at) if one.state == notices.WAITING else None,
        "sent_at": iso(one.sent_at),
        "error": one.error,
    }


def try_out(caller: Caller) -> list[Tried]:
    """Send a test over every channel that is set, and wait for what becomes of it."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
    found = [(way.name, notifying.try_out(caller.runtime, way)) for way in channels(caller.runtime)]
    return [{"channel": name, "arrived": wrong is None, "error": wrong} for name, wrong in found]


def retry(caller: Caller, notice_id: int) -> dict[str, Any]:
    """Have a notice sent again that was given up; a worker sends it within a minute."""
    with caller.runtime.database.write() as db:
        caller.require(db, Role.STAFF)
        notices.retry(db, notice_id, caller.now)
    return {"id": notice_id, "state": notices.WAITING}
