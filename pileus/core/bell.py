"""Between processes of one controller: who starts a saga where no engine runs rings, so that engines need not look."""

import os
import threading

from pileus.core import saga


class Bell:
    """Made before the processes part (eventfd(2))."""

    def __init__(self) -> None:
        self._file = os.eventfd(0, os.EFD_CLOEXEC)

    def ring(self) -> None:
        """For the process without engines: from now on whenever a saga is started in it."""
        saga.TO_WAKE.append(lambda: os.eventfd_write(self._file, 1))

    def hear(self) -> None:
        """For the process with engines. Returns at once."""

        def listen() -> None:
            while os.eventfd_read(self._file):
                saga.wake_engines()

        threading.Thread(target=listen, name="bell", daemon=True).start()
