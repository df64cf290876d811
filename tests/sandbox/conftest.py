"""Shops in threads, for the tests of the sandbox."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onewriter.sandbox import Faults, RunningSandbox
from tests.sandbox.stage import Api, Receiver


@pytest.fixture
def running() -> Iterator[Callable[..., Api]]:
    """Starts shops, and stops them when the test is over."""
    started: list[Api] = []

    def start(customers: int = 20, seed: int = 1, **faults: Any) -> Api:
        sandbox = RunningSandbox(customers, seed, faults=Faults(**faults)).__enter__()
        started.append(Api(sandbox))
        return started[-1]

    yield start
    for api in started:
        api.http.close()
        api.sandbox.__exit__(None, None, None)


@pytest.fixture(scope="module")
def resting() -> Iterator[Api]:
    """One shop for all tests of a module that only read it, or are refused."""
    with RunningSandbox(1_200, 1, faults=Faults(bulk_seconds=0.0)) as sandbox:
        api = Api(sandbox)
        yield api
        api.http.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
