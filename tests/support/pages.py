"""People who look at pages and programs that ask the API, over real connections to the real application."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from onewriter.customers import logins, people, sessions, tokens
from onewriter.customers.people import Role
from onewriter.runtime import Runtime
from onewriter.web.api.frame import PREFIX
from onewriter.web.pages.frame import COOKIE
from tests.support.doors import serving
from tests.support.shops import Tea


def let_in(runtime: Runtime, name: str, role: Role) -> str:
    """The cookie of somebody who has that role and is logged in; there is an owner besides."""
    who = people.full_name(name)
    with runtime.database.write() as db:
        people.give(db, "user:olga", who, role, runtime.now())
        logins.set_password(db, who, "no password has this hash", runtime.now())
        return sessions.begin(db, who, runtime.now())


@dataclass(frozen=True)
class Site:
    """Somebody with a browser that runs no scripts."""

    runtime: Runtime
    url: str
    cookie: str | None

    @property
    def client(self) -> httpx2.Client:
        """A browser with the cookie of the session."""
        cookies = {} if self.cookie is None else {COOKIE: self.cookie}
        return httpx2.Client(base_url=self.url, cookies=cookies, trust_env=False, timeout=60)

    def as_(self, role: Role) -> "Site":
        """The same site, looked at by somebody with that role."""
        return Site(self.runtime, self.url, let_in(self.runtime, f"{role.value}-{role.value}", role))

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Open a page."""
        with self.client as client:
            return client.get(path, headers=headers)

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **sent: Any) -> httpx2.Response:
        """Send a form of a page of that session; where it leads is not followed."""
        csrf = {} if self.cookie is None else {"csrf": sessions.csrf_of(self.cookie)}
        with self.client as client:
            return client.post(path, data={**csrf, **(fields or {})}, **sent)


@dataclass(frozen=True)
class Program:
    """Something that asks the API with a token."""

    runtime: Runtime
    url: str
    secret: str

    def as_(self, role: Role) -> "Program":
        """The same API, asked with a token of that role."""
        return Program(self.runtime, self.url, token_of(self.runtime, f"{role.value}-again", role))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """Make a call; `path` is what follows /api/v1."""
        given = {"Authorization": f"Bearer {self.secret}"} | headers
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=60) as client:
            return client.request(method, PREFIX + path, json=body, headers=given)

    def get(self, path: str) -> Any:
        """What a call that succeeds is answered."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def token_of(runtime: Runtime, name: str, role: Role) -> str:
    """A token with that role."""
    with runtime.database.write() as db:
        return tokens.make(db, name, role, "user:olga", runtime.now(), 1)


@pytest.fixture
def site(tea: Tea) -> Iterator[Site]:
    """The pages of the tea shop, looked at by an owner."""
    with serving(tea.runtime) as url:
        yield Site(tea.runtime, url, let_in(tea.runtime, "olga", Role.OWNER))


@pytest.fixture
def program(tea: Tea, site: Site) -> Program:
    """The API of the tea shop, asked with an owner's token."""
    return Program(tea.runtime, site.url, token_of(tea.runtime, "till", Role.OWNER))
