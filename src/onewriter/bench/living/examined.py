"""Living shops for the examination: each with its noise, as somebody would export it who has not kept everything."""

from collections.abc import Iterator
from random import Random

from onewriter.bench.diagnosing import Made
from onewriter.bench.living.making import made as lived_shops
from onewriter.bench.stores.noise import veiled


def made(seed: int, stores: int, cause: str | None = None) -> Iterator[Made]:
    """So many living shops, each cause as often as the others."""
    for place, shop in enumerate(lived_shops(stores, seed, cause)):
        evidence = veiled(shop.evidence, Random(f"{seed}/{place}/noise"))
        yield Made(evidence, shop.cause, shop.field, shop.people, name=f"living-{seed}-{place}")
