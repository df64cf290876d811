"""Every area of the API."""

from onewriter.web.api import cases, customers, fields, inbox, privacy, runs, settings

ROUTERS = (runs.api, customers.api, cases.api, fields.api, privacy.api, inbox.api, settings.api)
