"""A Swift in memory, behind a Keystone in memory: as much of both as an image store uses."""

import hashlib
import json

from tests.outside import Answer, Asked, Outside, part_of

PATH = "/v1/AUTH_images"


class Swift(Outside):
    """`objects` maps container and name to bytes, or to a manifest's segments. `full` makes it take nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self.containers: dict[str, dict[str, bytes | list[str]]] = {}
        self.full = False

    def content(self, container: str, name: str) -> bytes | None:
        found = self.containers.get(container, {}).get(name)
        if isinstance(found, list):
            return b"".join(self.content(*path.lstrip("/").split("/", 1)) or b"" for path in found)
        return found

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v3/auth/tokens":
            endpoint = {"interface": "public", "region": "R", "region_id": "R", "url": self.url + PATH}
            token = {
                "catalog": [{"type": "object-store", "name": "swift", "endpoints": [endpoint]}],
                "expires_at": "2099-01-01T00:00:00.000000Z",
            }
            return 201, json.dumps({"token": token}), {"X-Subject-Token": "t", "Content-Type": "application/json"}
        container, _, name = asked.path.removeprefix(PATH).lstrip("/").partition("/")
        return self.of(asked, container, name)

    def of(self, asked: Asked, container: str, name: str) -> Answer:
        if asked.verb == "PUT" and not name:
            self.containers.setdefault(container, {})
            return 201, b"", {}
        objects = self.containers.get(container)
        if objects is None:
            return 404, b"", {}
        if not name:
            prefix, marker = asked.query.get("prefix", ""), asked.query.get("marker", "")
            found = sorted(one for one in objects if one.startswith(prefix) and one > marker)
            headers = {"X-Container-Object-Count": "0", "Content-Type": "application/json"}
            return 200, json.dumps([{"name": one} for one in found]), headers
        if asked.verb == "PUT":
            if self.full:
                return 413, b"over quota", {}
            manifest = "multipart-manifest" in asked.query
            objects[name] = [part["path"] for part in json.loads(asked.body)] if manifest else asked.body
            return 201, b"", {"ETag": hashlib.md5(asked.body).hexdigest()}
        whole = self.content(container, name)
        if whole is None:
            return 404, b"", {}
        if asked.verb == "DELETE":
            del objects[name]
            return 204, b"", {}
        return part_of(whole, asked)
