"""Health: whether this process can do its work, and figures for a monitoring system. No value of a person in either."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from onewriter.customers import inbox, questions, requests, workers
from onewriter.db import migrate
from onewriter.errors import OnewriterError
from onewriter.records import SECOND
from onewriter.runtime import Runtime


class Health:
    """Looks at the databases on request, and counts what the door answered."""

    MEDIA_TYPE = CONTENT_TYPE_LATEST

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "onewriter_deliveries", "Deliveries answered, by HTTP status", ["status"], registry=self._registry
        )
        self._registry.register(_Gauges(runtime))

    def count_delivery(self, status: int) -> None:
        """Count one answer of the door."""
        self._answers.labels(status=str(status)).inc()

    def faults(self) -> list[str]:
        """Why this process is not ready; empty when it is."""
        found = []
        try:
            if migrate.revision(self._runtime.database) != migrate.newest("main"):
                found.append("the database is not at the newest schema")
            if migrate.revision(self._runtime.key_database) != migrate.newest("keys"):
                found.append("the key store is not at the newest schema")
            self._runtime.keys.prove(self._runtime.now())
        except OnewriterError as error:
            found.append(str(error))
        return found

    def metrics(self) -> str:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry).decode()


class _Gauges(Collector):
    """Figures that stand in the database."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            figures = list(self._figures())
        except OnewriterError:
            figures = []
        yield GaugeMetricFamily("onewriter_database_up", "Whether the database answers", int(bool(figures)))
        yield from figures

    def _figures(self) -> Iterator[GaugeMetricFamily]:
        moment = self._runtime.now()
        silent_s = self._runtime.settings.number("worker_dead_s")
        with self._runtime.database.read() as db:
            states = inbox.open_counts(db)
            backlog_s = inbox.backlog_s(db, moment)
            waiting = questions.count(db)
            asked = requests.open_count(db, moment).open
            nearest = requests.waiting(db, 1)
            alive = sum(not worker.is_dead(moment, silent_s) for worker in workers.every(db))
        deliveries = GaugeMetricFamily("onewriter_inbox", "Deliveries that wait or are parked", labels=["state"])
        for state, number in states.items():
            deliveries.add_metric([state], number)
        yield deliveries
        yield GaugeMetricFamily("onewriter_inbox_oldest_seconds", "Age of the oldest waiting delivery", backlog_s)
        yield GaugeMetricFamily("onewriter_questions_waiting", "Questions that wait for a person", waiting)
        yield GaugeMetricFamily("onewriter_privacy_requests", "Privacy requests that are not done", asked)
        for request in nearest:
            left_s = (request.deadline - moment) / SECOND
            help_text = "Time to the nearest deadline of a privacy request; below zero once it is over"
            yield GaugeMetricFamily("onewriter_privacy_deadline_seconds", help_text, left_s)
        yield GaugeMetricFamily("onewriter_workers_alive", "Workers that live", alive)

    def describe(self) -> list[GaugeMetricFamily]:
        return []
