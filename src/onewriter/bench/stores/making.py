"""Making stores: from a seed to the evidence and the truth."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from onewriter.bench.diagnosing import Made
from onewriter.bench.stores import carrying, happening, people
from onewriter.bench.stores.noise import veiled
from onewriter.bench.stores.plot import Plot
from onewriter.bench.stores.values import rewritten, value
from onewriter.bench.stores.world import Channel, World
from onewriter.records import HOUR
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, Side

FIELDS = {
    "email": ("email", "identity", ("email", "mail", "email_address")),
    "phone": ("phone", "identity", ("phone", "mobile", "tel")),
    "first_name": ("first", "profile", ("first_name", "given_name")),
    "last_name": ("last", "profile", ("last_name", "surname")),
    "city": ("town", "profile", ("city", "town")),
    "note": ("note", "workflow", ("note", "remarks", "comment")),
    "birthday": ("date", "profile", ("birthday", "date_of_birth", "custom.birthday")),
    "account": ("code", "identity", ("account", "account_no", "custom.account")),
    "segment": ("enum", "workflow", ("segment", "tier", "custom.segment")),
    "tags": ("tags", "workflow", ("tags", "labels")),
    "email_consent": ("consent", "consent", ("email_consent", "opt_in", "marketing_state")),
}
TEXT = ("first", "last", "town", "note", "phone", "email")
ALL = (*TEXT, "date", "code", "enum", "tags")
Kinds = tuple[str, ...]
FAULTS: dict[str, tuple[Callable[[Plot], None], Kinds]] = {
    "manual_edit_T": (happening.by_hand, ALL),
    "import_collision": (happening.by_file, ALL),
    "mapping_wrong_target": (carrying.wrong_target, TEXT),
    "transform_lossy": (carrying.lossy, tuple(carrying.LOSSES)),
    "format_only": (carrying.format_only, ("email", "phone", "first", "last", "note", "tags")),
    "two_writers": (happening.two_writers, ALL),
    "wrong_direction": (happening.wrong_direction, ALL),
    "stale_out_of_order": (happening.out_of_order, ALL),
    "missed_webhook": (happening.missed, ALL),
    "partial_import": (happening.partial, ALL),
    "permission_missing": (carrying.denied, ALL),
    "field_not_covered": (carrying.not_covered, ALL),
    "truncation": (carrying.truncated, ("first", "last", "town", "note", "email")),
    "type_enum_coercion": (carrying.coerced, ("code", "enum")),
    "timezone_locale": (carrying.shifted, ("date",)),
    "encoding_mojibake": (carrying.garbled, ("first", "last", "town", "note")),
    "identity_split": (people.split, TEXT),
    "identity_over_merge": (people.over_merged, TEXT),
    "recycled_key": (people.recycled, ("phone",)),
    "consent_state_machine": (carrying.consent, ("consent",)),
    "deleted_redacted": (people.redacted, TEXT),
    "clock_skew": (happening.skewed, ALL),
    "null_overwrite": (happening.blanked, ALL),
    "default_value": (carrying.constant, ("first", "last", "date", "phone", "town", "note", "enum", "code", "email")),
    "merge_not_propagated": (people.merged, TEXT),
    "in_flight": (happening.in_flight, ALL),
}
"""Cause: how it comes about, and in which kinds of fields."""
FROM_THE_SOURCE = ("identity_split", "identity_over_merge", "recycled_key", "deleted_redacted", "merge_not_propagated")
FROM_THE_BEGINNING = ("field_not_covered",)


def made(seed: int, stores: int, cause: str | None = None) -> Iterator[Made]:
    """That many stores, the causes in turn; each follows from its seed, its place and its cause alone."""
    causes = [cause] if cause else list(FAULTS)
    for at in range(stores):
        yield store(seed * 1_000_000 + at // len(causes), causes[at % len(causes)])


def store(seed: int, cause: str) -> Made:
    """One store."""
    rng = Random(f"{seed}/{cause}")
    world, plot = _founded(rng, cause)
    FAULTS[cause][0](plot)
    _beside(plot)
    for act in plot.before.pop(0, ()):
        act()
    if plot.rng.random() < 0.5:  # what came before the log began is in no log
        world.writes.clear()
    for cycle in range(1, plot.cycles + 1):
        world.cycle = cycle
        _day(plot)
    world.cycle += 1
    for act in plot.before.pop(plot.cycles + 1, ()):
        act()
    world.pass_time()
    forms, reals = _of_form(plot)
    return Made(
        evidence=veiled(_evidence(plot), rng),
        cause=cause,
        field=plot.channel.name,
        records=frozenset(plot.hit),
        name=f"{seed}-{cause}",
        forms=forms,
        reals=reals,
    )


def _founded(rng: Random, cause: str) -> tuple[World, Plot]:
    is_from_source = cause in FROM_THE_SOURCE or rng.random() < 0.75
    kind = rng.choice(FAULTS[cause][1])
    channels = {}
    for name, (each, meaning, names) in FIELDS.items():
        origin = Side.SOURCE if each != kind or is_from_source else Side.TARGET
        ours = {Side.SOURCE: name, Side.TARGET: rng.choice(names)}
        channels[name] = Channel(name=name, kind=each, meaning=meaning, origin=origin, names=ours)
    world = World(rng, channels, length=rng.choice((1, 4, 12, 24)) * HOUR, heard=rng.choice((0.0, 0.3, 0.7, 0.9)))
    size = rng.choice((rng.randint(30, 90), rng.randint(30, 90), rng.randint(90, 220), rng.randint(220, 400)))
    for number in range(101, 101 + size):
        world.pass_time()
        fields = {name: value(rng, each.kind, number) for name, each in channels.items()}
        if rng.random() < 0.2:
            fields["note"] = None
        world.add(Side.SOURCE, str(number), fields)
        world.add(Side.TARGET, f"c{number}", dict(fields))
        world.join(str(number), f"c{number}", rng.choice(("shopify_id", "email", "email")))
    world.at += 30 * 24 * HOUR
    channel = next(each for each in channels.values() if each.kind == kind)
    cycles = rng.randint(4, 10)
    day = 0 if cause in FROM_THE_BEGINNING else rng.choice((0, rng.randint(1, cycles - 1), rng.randint(1, cycles - 1)))
    return world, Plot(world, rng, channel, cycles, day)


def _day(plot: Plot) -> None:
    world, begun = plot.world, plot.world.at
    _edits(plot)
    for act in plot.before.get(world.cycle, ()):
        act()
    if plot.rng.random() < 0.5:
        _edits(plot)
    world.at = max(world.at, begun + world.length)
    world.sync()
    for act in plot.after.get(world.cycle, ()):
        act()
    world.look()


def _edits(plot: Plot) -> None:
    """What customers, staff and apps change on a day; who is hit by the fault is left alone in its field."""
    world, rng = plot.world, plot.rng
    writers = (("customer", Hand.PERSON), ("user:eve", Hand.PERSON), ("app:forms", Hand.APP))
    for _ in range(rng.randint(1, 3 + len(world.sides[Side.SOURCE]) // 20)):
        channel = rng.choice(list(world.channels.values()))
        number = rng.choice(list(world.sides[channel.origin]))
        source = number if channel.origin is Side.SOURCE else world.linked.get((Side.TARGET, number))
        is_gone = (channel.origin, number) not in world.linked or (Side.SOURCE, source) in world.deleted
        if is_gone or channel.is_reversed or (source in plot.hit):
            continue
        world.edit(channel, number, world.fresh(channel, number), who=rng.choice(writers))


def _beside(plot: Plot) -> None:
    """What is no part of the fault: old differences, a hand edit, another form, a harmless import."""
    world, rng = plot.world, plot.rng
    others = [each for each in world.channels.values() if each.name != plot.channel.name and each.kind != "consent"]
    old, noisy, typed = rng.sample(others, 3)
    linked = plot.ids()
    if plot.channel.origin is Side.TARGET:
        linked = [world.linked[Side.TARGET, number] for number in linked]
    for number in rng.sample(linked, rng.randint(0, 2)):
        world.sides[Side.TARGET][f"c{number}"][old.names[Side.TARGET]] = world.any_value(old, number)
    form = rewritten(noisy.kind, rng)
    plot.form = (noisy, form)
    for number in rng.sample(linked, len(linked) // 6) if form else ():
        fields, name = world.sides[Side.TARGET][f"c{number}"], noisy.names[Side.TARGET]
        fields[name] = form(fields[name]) if fields[name] else fields[name]

    def type_over() -> None:
        number = rng.choice(linked)
        if f"c{number}" in world.sides[Side.TARGET] and number not in plot.hit:
            world.write(typed, Side.TARGET, f"c{number}", world.fresh(typed, number), ("user:kim", Hand.PERSON))

    def harmless() -> None:
        run = world.begin("import")
        for number in rng.sample(linked, len(linked) // 5):
            if f"c{number}" in world.sides[Side.TARGET]:
                same = world.get(old, Side.TARGET, f"c{number}")
                world.write(old, Side.TARGET, f"c{number}", same, ("import", Hand.IMPORT), run=run)

    if rng.random() < 0.4:
        plot.on(rng.randint(1, plot.cycles), type_over)
    if rng.random() < 0.3:
        plot.on(rng.randint(1, plot.cycles), harmless)


def _of_form(plot: Plot) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    forms: set[tuple[str, str]] = set()
    reals: set[tuple[str, str]] = set()
    world = plot.world
    noisy, form = plot.form or (None, None)
    for link in world.links:
        for channel in world.channels.values():
            one, other = world.get(channel, Side.SOURCE, link.source), world.get(channel, Side.TARGET, link.target)
            if channel is plot.channel or one == other:
                continue
            is_form = channel is noisy and form is not None and one and form(one) == other
            (forms if is_form else reals).add((link.source, channel.name))
    return frozenset(forms), frozenset(reals - forms)


def _rules(plot: Plot, channel: Channel, target: str) -> FieldRules:
    is_source = channel.origin is Side.SOURCE
    usual: dict[str, Any] = {
        "kind": channel.meaning, "owner": "shopify" if is_source else target,
        "direction": "source_to_target" if is_source else "target_to_source", "covered": True, "permission": "write",
        "empty": "keep",
    }  # fmt: skip
    usual |= plot.told if channel is plot.channel else {}
    return FieldRules(
        name=channel.name, source_field=channel.names[Side.SOURCE], target_field=channel.names[Side.TARGET], **usual
    )


def _evidence(plot: Plot) -> Evidence:
    world, target = plot.world, plot.rng.choice(("crm", "erp", "hub"))
    fields = {name: _rules(plot, channel, target) for name, channel in world.channels.items()}
    skew = world.skew[Side.TARGET] / 1_000_000
    return Evidence(
        source="shopify", target=target, records=world.records(), taken_at=world.at, cycles=plot.cycles,
        links=list(world.links), fields=fields, match_keys=("shopify_id", "email", "phone"), two_way=any(
            channel.origin is Side.TARGET for channel in world.channels.values()
        ), clock_skew_s=skew, region="GB", writes=list(world.writes), runs=dict(world.runs),
        history=list(world.seen), reports=list(plot.reports),
    )  # fmt: skip
