"""The sentence that a page carries to the next one after a form was taken: in a cookie, signed, and shown once."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "onewriter-said"
LENGTH_MAX = 500
KEEP_S = 60


def say(answer: Response, told: str, secret: str) -> None:
    """Give the sentence along. It names nobody: it is a sentence of ours."""
    text = urlsafe_b64encode(told[:LENGTH_MAX].encode()).decode()
    answer.set_cookie(COOKIE, f"{text}.{_mark(text, secret)}", KEEP_S, httponly=True, samesite="lax")


def hear(request: Request, secret: str) -> str | None:
    """The sentence that was given along, if we gave it in that session."""
    text, _, mark = request.cookies.get(COOKIE, "").partition(".")
    if not text or not compare_digest(mark.encode(), _mark(text, secret).encode()):
        return None
    return urlsafe_b64decode(text).decode()


def forget(answer: Response, request: Request) -> None:
    """Show it no more."""
    if COOKIE in request.cookies:
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")


def _mark(text: str, secret: str) -> str:
    return blake2b(text.encode(), key=secret.encode()[:64], digest_size=16).hexdigest()
