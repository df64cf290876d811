"""Where the time goes: a look at the stack every few milliseconds, told in the words of the product.

A timer's signal costs the process less than one percent; a profiler that counts every call would double the time of
what makes many small ones. Waiting for work never counts.
"""

import signal
import sys
import threading
from collections import Counter
from types import CodeType, FrameType
from typing import Any

EVERY_S = 0.004
TIMERS = {
    True: (signal.ITIMER_REAL, signal.SIGALRM),
    False: (signal.ITIMER_PROF, signal.SIGPROF),
}
IDLE = ""
SHOP = "wait for the shop"
REST = "everything else"
KEYS = "make the customers' keys"
INSERT = "insert rows"
SEAL = "seal"
TOKENS = "tokens of email and phone"
REPLAY = "replay the ledger"
ENTRIES = "read entries"
MOVE = "move and drop entries"

PLACES: tuple[tuple[str, str, str], ...] = (
    ("onewriter/vault/keystore.py", "make_subject_keys", KEYS),
    ("onewriter/vault/rewrap.py", "_wrapped", "open and wrap"),
    ("onewriter/vault/rewrap.py", "_write", "update rows"),
    ("onewriter/vault/rewrap.py", "left", "count what is left"),
    ("onewriter/vault/rewrap.py", "", "read wrapped keys"),
    ("onewriter/vault/keystore.py", "subject_keys", "open the customers' keys"),
    ("onewriter/vault/seal.py", "token", TOKENS),
    ("onewriter/vault/seal.py", "id_hash", "hash ids"),
    ("onewriter/vault/seal.py", "raw_digest", "digests"),
    ("onewriter/vault/seal.py", "profile_digest", "digests"),
    ("onewriter/vault/seal.py", "digest", "digests"),
    ("onewriter/vault/seal.py", "digests", "digests"),
    ("onewriter/vault/seal.py", "open", "open boxes"),
    ("onewriter/vault/seal.py", "open_fields", "open boxes"),
    ("onewriter/vault/seal.py", "", SEAL),
    ("onewriter/vault/vault.py", "", TOKENS),
    ("onewriter/rules/identity/", "", TOKENS),
    ("onewriter/shopify/payloads.py", "", "read the customer"),
    ("onewriter/shopify/canonical.py", "", "read the customer"),
    ("onewriter/shopify/client.py", "", "receive the file"),
    ("onewriter/shopify/webhooks.py", "", "headers and signature"),
    ("onewriter/shopify/bulk.py", "", SHOP),
    ("onewriter/shopify/reads.py", "", SHOP),
    ("onewriter/rules/replaying.py", "", REPLAY),
    ("onewriter/rules/lots.py", "", REPLAY),
    ("onewriter/rules/merging.py", "", "find what is twice"),
    ("onewriter/rules/", "", "decide"),
    ("onewriter/loyalty/entries.py", "_row", "make rows"),
    ("onewriter/loyalty/entries.py", "add", "make rows"),
    ("onewriter/loyalty/entries.py", "drop", MOVE),
    ("onewriter/loyalty/entries.py", "move", MOVE),
    ("onewriter/loyalty/entries.py", "", ENTRIES),
    ("onewriter/loyalty/accounts.py", "save", "write accounts"),
    ("onewriter/loyalty/accounts.py", "", "read accounts"),
    ("onewriter/loyalty/audit.py", "_together", ENTRIES),
    ("onewriter/loyalty/audit.py", "", "compare"),
    ("onewriter/loyalty/", "", "decide"),
    ("onewriter/intake/apply.py", "", "decide"),
    ("onewriter/intake/door.py", "write_rows", INSERT),
    ("onewriter/intake/door.py", "", "the door's thread"),
    ("onewriter/customers/profiles.py", "load", "look up what is held"),
    ("onewriter/customers/profiles.py", "raw_digests", "look up what is held"),
    ("onewriter/customers/profiles.py", "<dictcomp>", "look up what is held"),
    ("onewriter/customers/profiles.py", "_open", "open boxes"),
    ("onewriter/customers/profiles.py", "save", "update rows"),
    ("onewriter/customers/profiles.py", "", "make rows"),
    ("onewriter/customers/find.py", "", "look for the missing"),
    ("onewriter/audit/absence.py", "", "look for the missing"),
    ("onewriter/audit/", "", "compare"),
    ("onewriter/customers/log.py", "", "make rows"),
    ("onewriter/customers/tombstones.py", "", "look up what is held"),
    ("onewriter/customers/owners.py", "", "look up what is held"),
    ("onewriter/customers/marks.py", "", "marks"),
    ("onewriter/customers/runs.py", "", "checkpoint"),
    ("onewriter/customers/inbox.py", "end", "mark deliveries done"),
    ("onewriter/customers/inbox.py", "", "claim deliveries"),
    ("onewriter/db/bulk.py", "insert_rows", INSERT),
    ("onewriter/db/bulk.py", "", "locks"),
    ("onewriter/db/engine.py", "_begin", "wait for the write lock"),
    ("onewriter/db/engine.py", "held", "ring the bell"),
    ("onewriter/db/engine.py", "give_way", "give way to the door"),
    ("onewriter/web/", "", "event loop and route"),
    ("sqlalchemy/engine/default.py", "do_commit", "commit"),
    ("starlette/", "", "web framework"),
    ("uvicorn/", "", "web server"),
    ("asyncio/runners.py", "", IDLE),
    ("asyncio/base_events.py", "_run_once", IDLE),
    ("threading.py", "wait", IDLE),
)
"""File, function (empty: any) and what it does; the first line that fits decides."""

WHOLE = frozenset({KEYS, SHOP})
"""What counts as one, whatever it calls."""


class Sampler:
    """Counts what this process does for the length of a `with` block. Only in the main thread.

    `waits` counts waiting for the disk as well. It must be left out where others write to the same SQLite file: its
    signals would cut short the pauses in which SQLite waits for its turn.
    """

    def __init__(self, *, waits: bool) -> None:
        self.seen: Counter[str] = Counter()
        self._timer, self._signal = TIMERS[waits]
        self._known: dict[CodeType, str | None] = {}
        self._main = threading.get_ident()
        # Threads that are started from now on inherit this: the signals are for the main thread alone.
        signal.pthread_sigmask(signal.SIG_BLOCK, {self._signal})

    def __enter__(self) -> "Sampler":
        signal.signal(self._signal, self._look)
        signal.siginterrupt(self._signal, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {self._signal})
        signal.setitimer(self._timer, EVERY_S, EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(self._timer, 0)

    def shares(self) -> list[tuple[str, float]]:
        """Each kind of work and its share of the time, the largest first."""
        total = self.seen.total() or 1
        return [(name, count / total) for name, count in self.seen.most_common()]

    def _look(self, _signal: int, frame: FrameType | None) -> Any:
        for thread, top in sys._current_frames().items():
            # In the main thread the topmost frame is this one.
            doing = self._doing(frame if thread == self._main else top)
            if doing is None and thread == self._main:
                self.seen[REST] += 1
            elif doing is not None and doing not in (IDLE, SHOP):
                self.seen[doing] += 1

    def _doing(self, frame: FrameType | None) -> str | None:
        """What a stack does: the innermost place that we know, unless one around it counts as a whole."""
        found: str | None = None
        while frame is not None:
            place = self._place(frame.f_code)
            if place in WHOLE:
                return place
            found = place if found is None else found
            frame = frame.f_back
        return found

    def _place(self, code: CodeType) -> str | None:
        if code not in self._known:
            fits = (doing for file, name, doing in PLACES if file in code.co_filename and name in ("", code.co_name))
            self._known[code] = next(fits, None)
        return self._known[code]
