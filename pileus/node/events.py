"""What happened on a node, numbered, kept in a short memory, and waited for."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable

import msgspec

from pileus.node.protocol import Event, EventsArgs, EventsReply, Inventory

KEPT = 2000


class EventLog:
    """A ring of events of one epoch (one life of the process). Waiting longer than asked yields a heartbeat."""

    def __init__(self, usage: Callable[[], Inventory], kept: int = KEPT) -> None:
        self.epoch = uuid.uuid4().hex
        self._usage = usage
        self._events: deque[Event] = deque(maxlen=kept)
        self._last = 0
        self._changed = threading.Condition()
        self._closed = False

    def add(self, event: Event) -> None:
        with self._changed:
            self._last += 1
            self._events.append(msgspec.structs.replace(event, seq=self._last, time=event.time or time.time()))
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody up: the process is going."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def after(self, args: EventsArgs) -> EventsReply:
        """Events after a number, waiting for the first; at the end of the wait a heartbeat, which has no number."""
        with self._changed:
            known = args.epoch == self.epoch
            after = args.after if known else 0
            if known:
                self._changed.wait_for(lambda: self._last > after or self._closed, timeout=max(0.0, args.wait))
            events = [e for e in self._events if e.seq > after]
            last = self._last
            lost = not known or bool(self._last > after and (not events or events[0].seq > after + 1))
        heartbeat = Event(seq=last, kind="heartbeat", time=time.time(), inventory=self._usage())
        return EventsReply(epoch=self.epoch, last=last, events=[*events, heartbeat], lost=lost)
