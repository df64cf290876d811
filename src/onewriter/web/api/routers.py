"""Every area of the API."""

from onewriter.web.api import (
    cases,
    customers,
    fields,
    imports,
    inbox,
    links,
    merges,
    notices,
    points,
    privacy,
    runs,
    settings,
    systems,
)

ROUTERS = (
    runs.api,
    customers.api,
    points.api,
    merges.api,
    cases.api,
    fields.api,
    systems.api,
    links.api,
    imports.api,
    privacy.api,
    inbox.api,
    notices.api,
    settings.api,
)
