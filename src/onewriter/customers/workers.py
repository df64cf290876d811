"""Workers: which processes run the durable jobs, and which of them are dead."""

import os
import socket
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from onewriter.db.tables import workers
from onewriter.records import SECOND, Instant


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process."""

    id: str
    host: str
    pid: int
    started_at: Instant
    beat_at: Instant

    def is_dead(self, now: Instant, silent_s: int) -> bool:
        """True when it has been silent for too long, or its process on this very host is gone."""
        return now - self.beat_at > silent_s * SECOND or self.process_is_gone

    @property
    def process_is_gone(self) -> bool:
        """True when it ran on this very host and its process is no more; of another host we cannot say."""
        return self.host == socket.gethostname() and not _process_lives(self.pid)


def enter(db: Connection, worker_id: str, now: Instant) -> None:
    """Say that this process is a worker now."""
    values = {"id": worker_id, "host": socket.gethostname(), "pid": os.getpid(), "started_at": now, "beat_at": now}
    db.execute(insert(workers).values(**values))


def beat(db: Connection, worker_id: str, now: Instant) -> bool:
    """Say that the worker lives; False if it is not on the list any more."""
    return db.execute(update(workers).where(workers.c.id == worker_id).values(beat_at=now)).rowcount == 1


def leave(db: Connection, worker_id: str) -> None:
    """Take a worker off the list."""
    db.execute(delete(workers).where(workers.c.id == worker_id))


def every(db: Connection) -> list[Worker]:
    """All workers, living or not."""
    return [Worker(**dict(row._mapping)) for row in db.execute(select(workers).order_by(workers.c.id))]


def any_alive(db: Connection, now: Instant, silent_s: int) -> bool:
    """True when some worker will take up a queued run."""
    return any(not worker.is_dead(now, silent_s) for worker in every(db))


def _process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
