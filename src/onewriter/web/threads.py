"""Threads beside those that answer pages and calls, so that what takes long keeps nobody else waiting."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

SLOWLY = CapacityLimiter(1)
"""For pages and calls that may take a minute: one of all these is answered at a time."""


def slow(answer: Callable[Given, Answer]) -> Callable[Given, Awaitable[Answer]]:
    """What a call of the API that may take a minute is answered by."""

    @wraps(answer)
    async def aside(*given: Given.args, **named: Given.kwargs) -> Answer:
        return await to_thread.run_sync(partial(answer, *given, **named), limiter=SLOWLY)

    return aside
