"""Every page."""

from onewriter.web.pages import (
    accesses,
    cases,
    customers,
    entering,
    erasing,
    field_figures,
    fields,
    inbox,
    keys,
    links,
    notices,
    overview,
    privacy,
    programme,
    questions,
    runs,
    settings,
    systems,
)
from onewriter.web.pages.frame import Page

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *customers.PAGES,
    *cases.PAGES,
    *fields.PAGES,
    *keys.PAGES,
    *field_figures.PAGES,
    *systems.PAGES,
    *links.PAGES,
    *programme.PAGES,
    *privacy.PAGES,
    *erasing.PAGES,
    *accesses.PAGES,
    *inbox.PAGES,
    *questions.PAGES,
    *settings.PAGES,
    *notices.PAGES,
    *runs.PAGES,
    *entering.PAGES,
)
