"""When each field of each customer last changed in the shop, so that a difference can be traced to what told of it."""

from collections import defaultdict
from dataclasses import dataclass, field

from onewriter.bench.simulate.truth import EXISTENCE, fields_of
from onewriter.sandbox import Shop
from onewriter.sandbox.customer import Customer


@dataclass
class Journal:
    """Looks at the shop after everything that happens there. Times are the shop's, in seconds."""

    shop: Shop
    changed: dict[tuple[int, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """By customer and field: each change, no earlier than this."""
    ever: dict[int, Customer] = field(default_factory=dict)
    """Everybody who was ever seen, as last seen."""
    _known: dict[int, Customer] = field(default_factory=dict)
    _looked: float = 0.0

    def begin(self) -> None:
        """Remember the shop as it is."""
        self._known = {record.id: record for record in self.shop.snapshot()}
        self._looked = self.shop.clock()
        self.ever |= self._known

    def look(self) -> None:
        """Note what has changed since the last look."""
        present = {record.id: record for record in self.shop.snapshot()}
        for number, record in present.items():
            before = self._known.get(number)
            if before is not record:
                self._note(number, None if before is None else fields_of(before), fields_of(record))
        for number in self._known.keys() - present.keys():
            self.changed[number, EXISTENCE].append(self._looked)
        self._known, self._looked = present, self.shop.clock()
        self.ever |= present

    def _note(self, number: int, before: dict[str, object] | None, after: dict[str, object]) -> None:
        if before is None:
            self.changed[number, EXISTENCE].append(self._looked)
        for name, value in after.items():
            if before is None or before[name] != value:
                self.changed[number, name].append(self._looked)

    def last(self, number: int, name: str, until: float) -> float:
        """When a field last changed before a moment; 0 if it never did."""
        return max((at for at in self.changed.get((number, name), ()) if at <= until), default=0.0)
