"""A client of one account: paths below it, bodies with their length said, headers by their own names."""

import random
from collections.abc import Iterator
from typing import Any

from pileus.object_storage import reconcile
from tests.harness import Answer, Client, World


class Store:
    """`ask("PUT", "c/o", b"bytes", x_object_meta_colour="red")`."""

    def __init__(self, client: Client, account: str = ""):
        self.client = client
        self.account = account or f"AUTH_{client.project_id}"
        self.base = f"/object/v1/{self.account}"

    def ask(
        self, method: str, path: str = "", body: bytes = b"", upload: Iterator[bytes] | None = None, **headers: Any
    ) -> Answer:
        sent = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        if upload is None:
            sent.setdefault("content-length", str(len(body)))
        else:
            sent.setdefault("transfer-encoding", "chunked")
        sent.setdefault("content-type", "")
        bare, mark, query = path.partition("?")
        whole = self.base + ("/" + bare if bare else "") + mark + query
        return self.client.request(method, whole, body, sent, upload)

    def get(self, path: str = "", **headers: Any) -> Answer:
        return self.ask("GET", path, **headers)

    def head(self, path: str = "", **headers: Any) -> Answer:
        return self.ask("HEAD", path, **headers)

    def put(self, path: str, body: bytes = b"", **headers: Any) -> Answer:
        return self.ask("PUT", path, body, **headers)

    def post(self, path: str = "", body: bytes = b"", **headers: Any) -> Answer:
        return self.ask("POST", path, body, **headers)

    def delete(self, path: str, **headers: Any) -> Answer:
        return self.ask("DELETE", path, **headers)

    def copy(self, path: str, destination: str, **headers: Any) -> Answer:
        return self.ask("COPY", path, destination=destination, **headers)

    def names(self, path: str) -> list[str]:
        """A listing's names and folders, in its order."""
        answer = self.get(path)
        assert answer.status in (200, 204), answer.raw
        return answer.raw.decode().splitlines()

    def container(self, **headers: Any) -> str:
        name = f"c-{random.getrandbits(48):x}"
        self.put(name, **headers).ok(201)
        return name


def nothing_differs(world: World) -> None:
    """No file without a row, no row without a file, also after what left has gone."""
    reconcile.sweep(world.cloud, grace=-1)
    found = [(d.kind, d.id, d.what) for d in reconcile.differences(world.cloud)]
    assert found == []


__all__ = ["Store", "nothing_differs"]
