"""What a scenario is: how a saga comes to be started, what it works on, and what must be true once it is done."""

from collections.abc import Callable
from typing import NamedTuple

from tests.harness import Answer
from tests.sagas.stage import Stage


class Thing(NamedTuple):
    """What sagas work on: where it is deleted, and why it is broken (None: it is not, or it is gone)."""

    path: str
    why: Callable[[Stage, str], str | None]
    query: str = ""  # what a delete has to say besides

    def exists(self, stage: Stage, thing_id: str) -> bool:
        return stage.client.at("3.71", "volume").get(f"{self.path}/{thing_id}").status == 200

    def delete(self, stage: Stage, thing_id: str) -> Answer:
        client = stage.client.at("3.71", "volume")
        if self.path.endswith("/groups"):
            return client.post(f"{self.path}/{thing_id}/action", {"delete": {"delete-volumes": True}})
        return client.delete(f"{self.path}/{thing_id}{self.query}")


class Scenario(NamedTuple):
    """`start` brings the saga into being on a prepared stage and returns its thing's id; `done` says whether it worked."""

    prepare: Callable[[Stage], str]
    start: Callable[[Stage, str], str]
    done: Callable[[Stage, str], bool]
    undoes: bool = False  # a failure takes back all its effects at once; others leave the thing to be deleted
    of: Thing | None = None  # none: a server
    firm: bool = False  # while it is at work, the thing cannot be deleted
