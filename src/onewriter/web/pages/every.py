"""Every page."""

from onewriter.web.pages import cases, customers, entering, overview, runs
from onewriter.web.pages.frame import Page

PAGES: tuple[Page, ...] = (*overview.PAGES, *customers.PAGES, *cases.PAGES, *runs.PAGES, *entering.PAGES)
