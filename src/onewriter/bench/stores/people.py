"""Faults of who is who, and of customers who go."""

from onewriter.bench.stores.plot import Plot
from onewriter.rules.diagnosis.evidence import Hand, LinkOf, Side

S, T = Side.SOURCE, Side.TARGET
SYNC = ("connector", Hand.CONNECTOR)


def split(plot: Plot) -> None:
    """The key was written otherwise, so that the connector made a second record and carries everything there."""
    world = plot.world

    def act() -> None:
        for number in plot.few(5):
            plot.mark([number])
            second = f"c9{plot.copy_of(number)[1:]}"
            fields = {name: world.get(each, S, number) for name, each in world.channels.items()}
            if isinstance(fields.get("email"), str) and plot.rng.random() < 0.6:
                fields["email"] = fields["email"].upper()
            world.pass_time()
            world.add(T, second, fields)
            world.linked[S, number] = second
            world.linked[T, second] = number
            if plot.rng.random() < 0.4:
                world.links.append(LinkOf(number, second, "email"))
            for name in ("phone", "last_name", plot.channel.name):
                world.edit(world.channels[name], number, world.fresh(world.channels[name], number), heard=True, side=S)

    plot.on(max(plot.day, 1), act)


def over_merged(plot: Plot) -> None:
    """Two customers are taken for one: both are linked with one record, which now holds what the second says."""
    world = plot.world

    def act() -> None:
        chosen = plot.rng.sample(plot.ids(), 2 * plot.rng.randint(1, 3))
        for first, second in zip(chosen[::2], chosen[1::2], strict=True):
            plot.mark([first, second])
            shared, lost = plot.copy_of(first), plot.copy_of(second)
            world.links = [each for each in world.links if each.source != second]
            world.links.append(LinkOf(second, shared, plot.rng.choice(("phone", "last_name", "email"))))
            del world.sides[T][lost], world.linked[T, lost]
            world.linked[S, second] = shared
            for channel in world.channels.values():
                if channel.origin is S:
                    world.push(channel, [second], None)

    plot.on(max(plot.day, 1), act)


def recycled(plot: Plot) -> None:
    """A number went to another person, and the connector gives her the record of who had it before."""
    world, phone = plot.world, plot.world.channels["phone"]

    def act() -> None:
        for number in plot.few(3):
            plot.mark([number])
            left, held = world.get(phone, S, number), plot.copy_of(number)
            world.links = [
                LinkOf(each.source, each.target, "phone") if each.source == number else each for each in world.links
            ]
            world.write(phone, S, number, world.fresh(phone, number), ("customer", Hand.PERSON))
            world.pass_time()
            newer = str(max(map(int, world.sides[S])) + 1)
            fields = {name: world.any_value(each, newer) for name, each in world.channels.items()}
            world.add(S, newer, fields | {"phone": left})
            world.linked[S, newer] = held
            del world.linked[S, number]
            for channel in world.channels.values():
                if channel.origin is S:
                    world.push(channel, [newer], None)
            if plot.rng.random() < 0.5:
                world.links.append(LinkOf(newer, held, "phone"))
                plot.hit.add(newer)

    plot.on(max(plot.day, 1), act)


def merged(plot: Plot) -> None:
    """Two customers are merged at the source, and the connector does not hear of it."""
    world = plot.world

    def act() -> None:
        chosen = plot.rng.sample(plot.ids(), 2 * plot.rng.randint(1, 3))
        who = (f"{plot.told.get('shop', 'shopify')}:merge", Hand.MERGE)
        for stays, goes in zip(chosen[::2], chosen[1::2], strict=True):
            plot.hit |= {stays, goes}
            for name in plot.rng.sample(("phone", "note", "last_name", "first_name"), 2):
                channel = world.channels[name]
                world.write(channel, S, stays, world.get(channel, S, goes), who)
            for channel in world.channels.values():
                if world.get(channel, S, goes) is not None:
                    world.write(channel, S, goes, None, who)
            world.deleted[S, goes] = world.at
            world.linked.pop((S, goes))

    plot.on(max(plot.day, 1), act)


def redacted(plot: Plot) -> None:
    """Customers were erased at the source, and nobody erased them in the target."""
    world = plot.world

    def act() -> None:
        chosen = plot.few(4)
        plot.mark(chosen)
        for number in sorted(plot.hit):
            for channel in world.channels.values():
                world.write(channel, S, number, None, ("shopify:redact", Hand.REDACTION))
            world.redacted.add(number)
            world.linked.pop((S, number), None)
            if plot.rng.random() < 0.4:
                world.deleted[S, number] = world.at

    plot.on(max(plot.day, 1), act)
