"""How many log-ins may fail: per user that is named, whether it exists or not, and per address they come from.

Counted in memory, by each controller for itself: with several, an attacker has that many times as many tries, and a
controller that restarts forgets. What must outlive both is the lockout of `compliance.py`, which is in the database.
"""

import threading
import time

from pileus.core import log
from pileus.core.errors import TooManyRequests
from pileus.settings import LogInLimits

_log = log.logger("pileus.identity")
_MOST = 20_000  # counters kept; attackers choose the names, so their number has to have an end


class FailedLogIns:
    """Counters, each of which starts anew when its time is over."""

    def __init__(self, limits: LogInLimits):
        self.limits = limits
        self._counts: dict[tuple[str, str], tuple[int, float]] = {}  # (kind, who): how many, until when
        self._lock = threading.Lock()

    def check(self, user: str, address: str) -> None:
        """Raises TooManyRequests, before any work is done for the attempt."""
        for kind, who, most in (("user", user, self.limits.per_user), ("address", address, self.limits.per_address)):
            count, until = self._counts.get((kind, who), (0, 0.0))
            left = until - time.monotonic()
            if most and who and count >= most and left > 0:
                _log.warning("log-ins are refused for a while", extra={"by": kind, kind: who, "seconds": int(left) + 1})
                raise TooManyRequests(
                    f"Too many log-ins have failed. Try again in {int(left) + 1} seconds.",
                    headers={"retry-after": str(int(left) + 1)},
                )

    def failed(self, user: str, address: str) -> None:
        with self._lock:
            for key in (("user", user), ("address", address)):
                count, until = self._counts.get(key, (0, 0.0))
                now = time.monotonic()
                if until <= now:
                    count, until = 0, now + self.limits.seconds
                if len(self._counts) >= _MOST:
                    self._counts = {kept: value for kept, value in self._counts.items() if value[1] > now}
                if len(self._counts) >= _MOST:
                    self._counts.clear()
                self._counts[key] = (count + 1, until)

    def succeeded(self, user: str) -> None:
        """The user's failures are forgotten; the address's are not, or one valid account would buy any number."""
        if ("user", user) in self._counts:
            with self._lock:
                self._counts.pop(("user", user), None)
