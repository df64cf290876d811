"""TOML as people write it for us: read with limits, refused in one sentence that names the key, and written back."""

import difflib
import json
import re
import tomllib
from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from typing import Any

from onewriter.errors import BadSetting

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
_KEY_SHOWN = 60


def document(text: str, what: str, bytes_max: int, refusal: type[BadSetting]) -> dict[str, Any]:
    """What a TOML text holds, with numbers that have a point as exact decimals; `refusal` for what is none.

    `what` is what such a file is, such as "A programme".
    """
    if len(text.encode(errors="replace")) > bytes_max:
        raise refusal(f"{what} must be a file of at most {bytes_max // 1024} KiB.")
    if CONTROL.search(text):
        raise refusal(f"{what} must be plain text, and this one holds a control character.")
    try:
        return tomllib.loads(text, parse_float=_float)
    except RecursionError:
        raise refusal(f"{what} must be a TOML file, and this one is nested too deeply.") from None
    except tomllib.TOMLDecodeError as error:
        raise refusal(f"{what} must be a TOML file: {str(error)[:200].rstrip('.')}.") from None
    except ValueError:
        raise refusal(f"{what} must be a TOML file, and this one holds a number of too many digits.") from None


def _float(text: str) -> Decimal:
    """A number with a point or an exponent, exactly; not a number when its exponent is beyond all measure."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("nan")


def shown(name: str, bare: re.Pattern[str] = BARE_KEY) -> str:
    """A key as it stands in a file: bare, or in quotes; a key that nobody can have meant is shortened."""
    return name if bare.fullmatch(name) else json.dumps(CONTROL.sub("?", name[:_KEY_SHOWN]), ensure_ascii=False)


def unknown(key: str, name: str, known: Collection[str], what: str) -> str:
    """That there is no such key, and which was meant. `what` is what the file is, such as "a programme"."""
    near = difflib.get_close_matches(name.lower(), known, n=1)
    if near:
        return f"{key} is no key of {what}; did you mean {near[0]}?"
    return f"{key} is no key of {what}; here it may hold {listed(list(known), 'and')}."


def listed(words: list[str], last: str) -> str:
    """Words as a sentence lists them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def quoted(text: str) -> str:
    """A basic string of TOML."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def written(value: Any) -> str:
    """A value of TOML: a text, a number, true or false, a list, or a table in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{key(name)} = {written(each)}" for name, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return quoted(str(value))


def key(name: str) -> str:
    """A key of TOML, in quotes where it needs them."""
    return name if BARE_KEY.fullmatch(name) else quoted(name)
