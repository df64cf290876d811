"""Spans of time in words."""


def span(seconds: float) -> str:
    """A span of time in its two largest units."""
    whole = round(seconds)
    for unit, size, smaller, step in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // step} {smaller}"
    return f"{whole} s"
