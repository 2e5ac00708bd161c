"""Around every specification of identity: what was secret in it must be neither in the log nor in a refusal."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from pileus.app import Application
from pileus.core.log import JsonLines
from pileus.core.wire import Request, Response

# the passwords that specifications log in with, and how every Fernet token, receipt and encrypted secret begins
SECRETS = ("a secret worth keeping", "very secret", "gAAAAA")


class Heard(logging.Handler):
    """Keeps what the program would have written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(autouse=True)
def secrets_stay_secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    heard, refusals, log = Heard(), [], logging.getLogger("pileus")
    handle, level = Application.handle, log.level

    def listening(self: Application, rq: Request) -> Response:
        response: Any = handle(self, rq)
        if response.status >= 400 and isinstance(response.body, bytes):
            refusals.append((rq.method, rq.path, response.body.decode(errors="replace")))
        return response

    monkeypatch.setattr(Application, "handle", listening)
    log.addHandler(heard)
    log.setLevel(logging.DEBUG)
    yield
    log.removeHandler(heard)
    log.setLevel(level)
    told = [line for line in heard.lines if any(secret in line for secret in SECRETS)]
    assert not told, "secrets in the log:\n" + "\n".join(told)[:2000]
    shown = [refusal for refusal in refusals if any(secret in refusal[2] for secret in SECRETS)]
    assert not shown, f"secrets in refusals: {shown}"[:2000]
