"""Running the examination of stores: progress, the table, the confusion matrix, and what is kept to look at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from onewriter.bench.diagnosing import AIM_OF_SNAPSHOTS, LEVELS, Judged, Made, Score, score
from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.diagnosing import diagnose
from onewriter.rules.diagnosis.evidence import Evidence

SCORES = ("top1", "top2", "family", "coverage", "accuracy", "foremost")
WORST = 20
STEP = 26
"""Stores between two words of progress."""


def judge(evidence: Evidence) -> Judged:
    """What the engine says of it."""
    phantoms = frozenset((row.pair.link.source, row.rules.name) for row in compare(evidence).phantoms)
    return Judged(diagnose(evidence).cases, phantoms)


def run(shops: Iterator[Made], stores: int, seed: int, *, keep: Path | None, json: bool) -> int:
    """Examine so many shops, and print what came of it. Returns 0 where the floors hold, else 1."""
    found = score(_told(shops, stores, keep), judge)
    if json:
        click.echo(msgspec.json.encode(document(found, seed)))
    else:
        _print(found)
    return 0 if found.holds else 1


def _told(each: Iterator[Made], stores: int, keep: Path | None) -> Iterator[Made]:
    for at, store in enumerate(each, 1):
        if keep is not None:
            _keep(store, keep)
        yield store
        if at % STEP == 0:
            click.echo(f"{at} of {stores} stores", err=True)


def _keep(store: Made, folder: Path) -> None:
    from onewriter.audit.bundle_writing import write

    place = folder / store.name
    place.mkdir(parents=True, exist_ok=True)
    write(place, store.evidence)
    truth = {"cause": store.cause, "field": store.field, "records": sorted(store.records)}
    (place / "truth.json").write_bytes(msgspec.json.encode(truth))


def document(found: Score, seed: int) -> dict[str, Any]:
    """All scores for machines."""
    tallies = {"counts": found.counted} | found.levels
    return {
        "seed": seed,
        "holds": found.holds,
        "levels": {
            name: {"stores": tally.stores} | {each: round(tally.share(each), 4) for each in SCORES}
            for name, tally in tallies.items()
        },
        "format": {"precision": round(found.form_precision, 4), "recall": round(found.form_recall, 4)},
        "forbidden": found.forbidden,
        "confusion": [
            {"true": true, "said": said, "stores": times}
            for (true, said), times in found.levels["log"].confusion.most_common()
        ],
        "missed": [{"store": name, "said": said} for name, said in found.missed],
    }


def _print(found: Score) -> None:
    click.echo(f"{'evidence':<16}" + "".join(f"{name:>10}" for name in SCORES))
    for name, tally in ({"counts alone": found.counted} | found.levels).items():
        click.echo(f"{name:<16}" + "".join(f"{tally.share(each):>10.3f}" for each in SCORES))
    click.echo(f"form only: precision {found.form_precision:.4f}, recall {found.form_recall:.4f}")
    click.echo(f"forbidden advice: {found.forbidden}")
    click.echo(f"snapshots, top 2: {found.levels['snapshots'].share('top2'):.3f} (aim {AIM_OF_SNAPSHOTS:.2f})")
    for level in reversed(LEVELS):
        worst = found.levels[level].confusion.most_common(WORST)
        for (true, said), times in worst if level == "log" else ():
            click.echo(f"{times:>4}  {true} was called {said}")
    click.echo("The floors hold." if found.holds else "The floors do not hold.")
