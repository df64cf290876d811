"""Every page."""

from onewriter.web.pages import (
    accesses,
    cases,
    customers,
    entering,
    erasing,
    fields,
    inbox,
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
    *systems.PAGES,
    *programme.PAGES,
    *privacy.PAGES,
    *erasing.PAGES,
    *accesses.PAGES,
    *inbox.PAGES,
    *questions.PAGES,
    *settings.PAGES,
    *runs.PAGES,
    *entering.PAGES,
)
