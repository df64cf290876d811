"""Notices for programs."""

from typing import Annotated, Any

from fastapi import Path
from typing_extensions import TypedDict

from onewriter.desk import notices, paging
from onewriter.desk.notices import NoticePage, Tried
from onewriter.web.api.frame import Asker, Cursor, Limit, router
from onewriter.web.threads import slow

api = router("notices")

NoticeId = Annotated[int, Path(ge=1, le=10**15, description="The number of a notice.")]


class Test(TypedDict):
    """What became of a test over each channel."""

    channels: list[Tried]


@api.get("/notices")
def list_notices(asker: Asker, cursor: Cursor = None, limit: Limit = paging.USUAL) -> NoticePage:
    """List what people were told of, the newest first, and whether it arrived."""
    return notices.listed(asker, cursor, limit)


@api.post("/notices/test")
@slow
def test_notices(asker: Asker) -> Test:
    """Send a test over every channel that is set, and wait for what becomes of it."""
    return {"channels": notices.try_out(asker)}


@api.post("/notices/{notice_id}/retry")
def retry_notice(asker: Asker, notice_id: NoticeId) -> dict[str, Any]:
    """Have a notice sent again that was given up."""
    return notices.retry(asker, notice_id)
