"""How much one run may do by itself before a person must say that it is meant."""

FLOOR = 20
SHARE_PERCENT = 2


def too_many(count: int, of: int) -> bool:
    """True if so many values of one field are more than a cycle changes unasked: more than 20, and more than 2 %."""
    return count > FLOOR and count * 100 > of * SHARE_PERCENT
