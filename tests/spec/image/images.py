"""What the image specifications share."""

from typing import Any

from tests.harness import Answer, Client, eventually

IMAGES = "/image/v2/images"
PATCH = "application/openstack-images-v2.1-json-patch"
BYTES = {"content-type": "application/octet-stream"}
QCOW2 = (
    b"QFI\xfb\x00\x00\x00\x03"
    + bytes(12)
    + (16).to_bytes(4)
    + (64 << 20).to_bytes(8, "big")
    + bytes(68)
    + (104).to_bytes(4, "big")
).ljust(4096, b"\x00")


def create(client: Client, **attributes: Any) -> dict[str, Any]:
    made: dict[str, Any] = client.post(IMAGES, {"name": "mine", **attributes}).ok(201)
    return made


def bare(client: Client, **attributes: Any) -> dict[str, Any]:
    """An image that may have its bytes now."""
    return create(client, **{"disk_format": "raw", "container_format": "bare", **attributes})


def upload(client: Client, image: dict[str, Any], *chunks: bytes) -> Answer:
    return client.request("PUT", f"{IMAGES}/{image['id']}/file", headers=BYTES, upload=iter(chunks))


def active(client: Client, data: bytes = b"bytes", **attributes: Any) -> dict[str, Any]:
    image = bare(client, **attributes)
    upload(client, image, data).ok(204)
    return show(client, image)


def show(client: Client, image: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"{IMAGES}/{image['id']}").ok(200)
    return shown


def change(client: Client, image: dict[str, Any], *changes: dict[str, Any]) -> Answer:
    return client.request("PATCH", f"{IMAGES}/{image['id']}", list(changes), {"content-type": PATCH})


def names(client: Client, query: str = "") -> list[str]:
    return [image["name"] for image in client.get(f"{IMAGES}?{query}").ok(200)["images"]]


def stage(client: Client, image: dict[str, Any], *chunks: bytes) -> Answer:
    return client.request("PUT", f"{IMAGES}/{image['id']}/stage", headers=BYTES, upload=iter(chunks))


def bring_in(client: Client, image: dict[str, Any], method: str = "glance-direct", **body: Any) -> Answer:
    """An import; what is known of its method comes as `source`."""
    source = body.pop("source", {})
    return client.post(f"{IMAGES}/{image['id']}/import", {"method": {"name": method, **source}, **body})


def ended(client: Client, image: dict[str, Any]) -> dict[str, Any]:
    """The newest task of an image, once it has an end."""

    def look() -> Any:
        tasks = client.get(f"{IMAGES}/{image['id']}/tasks").ok(200)["tasks"]
        return tasks[-1] if tasks and all(task["status"] in ("success", "failure") for task in tasks) else None

    task: dict[str, Any] = eventually(look)
    return task


def data(client: Client, image: dict[str, Any]) -> bytes:
    found: bytes = client.get(f"{IMAGES}/{image['id']}/file").ok(200)
    return found
