"""The names of API tokens, as they are recorded wherever a program did something."""

from onewriter.errors import BadInput

PREFIX = "token:"
NAME_MAX = 64


def full_name(given: str) -> str:
    """The name as it is recorded, of one that somebody typed; raises BadInput for what can be none."""
    name = given.strip().removeprefix(PREFIX)
    if not 0 < len(name) <= NAME_MAX or not name.isprintable() or any(letter.isspace() for letter in name):
        raise BadInput(f"Give the token a name of 1 to {NAME_MAX} letters, without a space.", "name")
    return PREFIX + name
