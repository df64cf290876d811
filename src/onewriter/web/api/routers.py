"""Every area of the API."""

from onewriter.web.api import cases, customers, runs

ROUTERS = (runs.api, customers.api, cases.api)
