"""What pages load is named by what it holds, kept for a year, sent packed to who takes that; nothing else is there."""

import gzip

import pytest

from onewriter.web import statics
from tests.support.pages import Site
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE


def test_each_file_is_sent_as_it_is_and_may_be_kept(site: Site) -> None:
    for name, file in statics.every().items():
        answer = site.get(statics.url_of(name), **{"accept-encoding": "identity"})
        assert (answer.status_code, answer.content) == (200, file.body), name
        assert answer.headers["content-type"] == file.media_type
        assert "immutable" in answer.headers["cache-control"]
        packed = site.get(statics.url_of(name), **{"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == file.body
        assert gzip.decompress(file.zipped) == file.body


@pytest.mark.parametrize(
    "path",
    [
        "/static/000000000000/app.css",
        "/static/app.css",
        "/static/x/../app.css",
        "/static/x/%2e%2e/%2e%2e/app.py",
        "/static/x/vendor/list.toml",
    ],
)
def test_nothing_else_is_there(site: Site, path: str) -> None:
    assert site.get(path).status_code == 404
