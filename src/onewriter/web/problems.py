"""What an error of ours is answered with: one status each, the same for pages and for programs."""

from onewriter.errors import BadInput, BadSetting, Forbidden, OnewriterError, Temporary, Unknown


def status_of(error: OnewriterError) -> int:
    """The HTTP status that says what kind of error it is; 409 where it is the present state that forbids it."""
    if isinstance(error, Temporary):
        return 503
    if isinstance(error, Unknown):
        return 404
    if isinstance(error, Forbidden):
        return 403
    return 422 if isinstance(error, BadInput | BadSetting) else 409
