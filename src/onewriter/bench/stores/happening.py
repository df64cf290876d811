"""Faults that happen: somebody writes, something is lost, late, refused, or carried the wrong way."""

from onewriter.bench.stores.plot import Plot
from onewriter.records import HOUR
from onewriter.rules.diagnosis.evidence import Hand, Report, Side

PERSON = (("user:ann", Hand.PERSON), ("user:bo", Hand.PERSON), ("user", Hand.PERSON))


def by_hand(plot: Plot) -> None:
    """Somebody of the staff types another value into the copy."""

    def act() -> None:
        chosen = plot.few()
        plot.mark(chosen)
        for number in chosen:
            plot.spoil(number, plot.world.fresh(plot.channel, number), plot.rng.choice(PERSON))

    plot.on(max(plot.day, 1), act, late=plot.rng.random() < 0.5)


def by_file(plot: Plot) -> None:
    """A file is imported into the copy, with other values."""

    def act() -> None:
        chosen = sorted(plot.some(0.12, 0.7, 5))
        plot.mark(chosen)
        run = plot.world.begin("import", name=f"import{plot.rng.randint(1, 99)}")
        for number in chosen:
            plot.spoil(number, plot.world.fresh(plot.channel, number), ("import", Hand.IMPORT), run)

    plot.on(max(plot.day, 1), act, late=plot.rng.random() < 0.5)


def two_writers(plot: Plot) -> None:
    """Another machine writes its own value as often as the connector writes the origin's."""
    plot.channel.is_enforced = True
    who = (plot.rng.choice(("app:erp-sync", "app:marketing", "erp")), Hand.APP)
    chosen = plot.some(0.1, 0.6, 4)
    wanted = {number: plot.world.fresh(plot.channel, number) for number in chosen}
    plot.mark(chosen)

    def act() -> None:
        for number in chosen:
            plot.spoil(number, wanted[number], who)

    first = max(1, min(plot.day, plot.cycles - 3))
    for cycle in range(first, plot.cycles + 1):
        is_last = cycle == plot.cycles
        plot.on(cycle, act, late=is_last or plot.rng.random() < 0.5)


def wrong_direction(plot: Plot) -> None:
    """The connector takes the copy for the origin: each edit of the origin is reverted."""
    plot.told["direction"] = "target_to_source" if plot.channel.origin is Side.SOURCE else "source_to_target"
    plot.channel.is_reversed = True
    chosen = plot.some(0.08, 0.4, 3)
    plot.mark(chosen)

    def act() -> None:
        for number in chosen:
            new = plot.world.fresh(plot.channel, number)
            plot.world.edit(plot.channel, number, new, heard=False)
            if plot.channel.origin is Side.SOURCE and plot.rng.random() < 0.5:
                plot.reports = [each for each in plot.reports if each.source != number]
                plot.reports.append(Report(number, plot.channel.name, new))

    first = max(1, min(plot.day, plot.cycles - 2))
    for cycle in range(first, plot.cycles + 1):
        if cycle == first or plot.rng.random() < 0.6:
            plot.on(cycle, act)


def out_of_order(plot: Plot) -> None:
    """Two edits of a customer are carried in the wrong order."""

    def act() -> None:
        chosen = plot.some(0.05, 0.3, 2)
        plot.mark(chosen)
        late = []
        for number in chosen:
            late.append(plot.world.edit(plot.channel, number, plot.world.fresh(plot.channel, number), heard=False))
            plot.world.waiting.remove(late[-1])
            plot.world.edit(plot.channel, number, plot.world.fresh(plot.channel, number), heard=True)
        for change in late:
            plot.world.pass_time()
            plot.world.deliver(change)

    plot.on(max(plot.day, 1), act)


def missed(plot: Plot) -> None:
    """Webhooks were lost, and no cycle looks for what they told."""

    def act() -> None:
        chosen = plot.some(0.02, 0.25, 2)
        plot.mark(chosen)
        for number in chosen:
            change = plot.world.edit(plot.channel, number, plot.world.fresh(plot.channel, number), heard=False)
            plot.world.waiting.remove(change)

    plot.on(min(max(plot.day, 1), plot.cycles - 1), act)


def partial(plot: Plot) -> None:
    """A run that carries many edits stops in the middle; what comes after the cut stays as it was."""

    def act() -> None:
        world, chosen = plot.world, sorted(plot.ids())
        cut = round(len(chosen) * plot.rng.uniform(0.3, 0.8))
        for number in chosen:
            change = world.edit(
                plot.channel, number, world.fresh(plot.channel, number), who=("bulk", Hand.IMPORT), heard=False
            )
            world.waiting.remove(change)
        run = world.begin(
            plot.rng.choice(("import", "backfill", "backfill")), plot.rng.choice(("partial", "failed", "partial"))
        )
        world.push(plot.channel, chosen[:cut], run)
        plot.mark(chosen[cut:])

    plot.on(min(max(plot.day, 1), plot.cycles - 1), act)


def skewed(plot: Plot) -> None:
    """The copy's clock runs ahead, and the later time wins: newer edits of the origin are taken for older ones."""
    world, copy = plot.world, plot.channel.origin.other
    plot.channel.by_stamp = True
    world.skew[copy] = plot.rng.randint(2, 20) * HOUR // 2
    world.heard = 0.9

    def act() -> None:
        chosen = plot.some(0.06, 0.35, 3)
        plot.mark(chosen)
        for number in chosen:
            other_id = plot.copy_of(number)
            before = world.any_value(plot.channel, number)
            world.edit(plot.channel, number, before, heard=True)
            world.write(plot.channel, copy, other_id, world.fresh(plot.channel, number), ("customer", Hand.PERSON))
            # At once: the clocks differ by hours, and a day later both orders would be the same.
            world.edit(plot.channel, number, world.fresh(plot.channel, number), heard=True)

    plot.on(max(plot.day, 1), act)


def blanked(plot: Plot) -> None:
    """A file with an empty column, or a partial update, empties what was filled."""
    is_file = plot.rng.random() < 0.5
    empty = plot.rng.choice((None, ""))
    plot.told["empty"] = "clear"

    def act() -> None:
        chosen = sorted(plot.some(0.06, 0.6, 3))
        plot.mark(chosen)
        run = plot.world.begin("import" if is_file else "cycle")
        who = ("import", Hand.IMPORT) if is_file else ("connector", Hand.CONNECTOR)
        for number in chosen:
            plot.spoil(number, empty, who, run)

    plot.on(max(plot.day, 1), act, late=plot.rng.random() < 0.5)


def in_flight(plot: Plot) -> None:
    """Edits after the last cycle, which the next one carries."""

    def act() -> None:
        chosen = plot.few(6)
        plot.mark(chosen)
        for number in chosen:
            plot.world.edit(plot.channel, number, plot.world.fresh(plot.channel, number), heard=False)

    plot.on(plot.cycles + 1, act)
