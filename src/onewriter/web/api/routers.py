"""Every area of the API."""

from onewriter.web.api import customers, runs

ROUTERS = (runs.api, customers.api)
