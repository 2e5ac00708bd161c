"""A small client of the public APIs, in the standard library only: what the demo needs, and nothing of the inside."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pileus.deploy.errors import DeployError

COMPUTE_VERSION = "2.90"


class Refused(DeployError):
    """The cloud answered with an error."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Client:
    """One user in one project. Services are found in the catalog."""

    def __init__(self, auth_url: str, user: str, password: str, project: str) -> None:
        self.endpoints = {"identity": auth_url.removesuffix("/v3")}
        self.token = ""
        domain = {"id": "default"}
        identity = {"user": {"name": user, "domain": domain, "password": password}}
        scope = {"project": {"name": project, "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": identity}, "scope": scope}}
        answer, headers = self.call("POST", "identity", "/v3/auth/tokens", body)
        self.token = headers["X-Subject-Token"]
        self.project_id: str = answer["token"]["project"]["id"]
        for service in answer["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public":
                    self.endpoints[service["type"]] = endpoint["url"].rstrip("/")
        # The catalog's identity address may or may not end in its version.
        self.endpoints["identity"] = self.endpoints["identity"].removesuffix("/v3")

    def call(self, method: str, service: str, path: str, body: Any = None) -> tuple[Any, Any]:
        """The decoded answer and its headers."""
        headers = {"Accept": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        if service == "compute":
            headers["OpenStack-API-Version"] = f"compute {COMPUTE_VERSION}"
        data: Any = None
        if isinstance(body, Path):
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(body.stat().st_size)}
            data = body.open("rb")
        elif body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        try:
            url = self.endpoints[service] + path
        except KeyError as error:
            raise DeployError(f"This cloud has no {service} service in its catalog.") from error
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
                text = response.read()
                return (json.loads(text) if text else None), response.headers
        except urllib.error.HTTPError as error:
            raise refused(method, service, path, error) from error
        except OSError as error:
            raise DeployError(f"{url} does not answer ({error}): is the cloud up? `pileus status` tells.") from error
        finally:
            if isinstance(body, Path):
                data.close()

    def get(self, service: str, path: str, **query: Any) -> Any:
        return self.call("GET", service, path + (f"?{urlencode(query)}" if query else ""))[0]

    def post(self, service: str, path: str, body: Any) -> Any:
        return self.call("POST", service, path, body)[0]

    def put(self, service: str, path: str, body: Any = None) -> Any:
        return self.call("PUT", service, path, body)[0]

    def delete(self, service: str, path: str) -> None:
        self.call("DELETE", service, path)

    def find(self, service: str, path: str, kind: str, **query: Any) -> Any:
        """The first of a list, or None."""
        found = self.get(service, path, **query)[kind]
        return found[0] if found else None


def refused(method: str, service: str, path: str, error: urllib.error.HTTPError) -> Refused:
    text = error.read().decode(errors="replace")
    try:
        fault = next(iter(json.loads(text).values()))
        message = fault.get("message", text) if isinstance(fault, dict) else str(fault)
    except (ValueError, StopIteration, AttributeError):
        message = text or error.reason
    asked = error.headers.get("X-Openstack-Request-Id", "none")
    sentence = (
        f"{method} {service} {path.partition('?')[0]} was answered with {error.code}: {message} (request {asked})"
    )
    return Refused(sentence, error.code)
