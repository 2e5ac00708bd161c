"""The disks of a new server, as clients name them: in the words of the second version, or of the first."""

from pileus.core.fields import OPTIONAL, Boolean, Field, Integer, Items, Object, Text

NAME = "block_device_mapping_v2"
_COMMON: list[Field] = [
    Text("virtual_name"), Text("volume_id"), Text("snapshot_id"), Integer("volume_size", min=1, null=True),
    Text("device_name", null=True, pattern=r"[A-Za-z0-9._/-]*"), Boolean("delete_on_termination"),
    Field("no_device", null=True), Text("connection_info", max=65535),
]  # fmt: skip
_SECOND: list[Field] = [
    *_COMMON, Text("source_type", min=1), Text("destination_type"), Text("uuid", null=True), Text("image_id"),
    Integer("boot_index", null=True), Text("guest_format", null=True), Text("device_type", null=True),
    Text("disk_bus", null=True),
]  # fmt: skip
_TAG = Text("tag", min=1, max=60, pattern=r"[^,/]+")


def _devices(since: str | None, until: str | None, *more: Field) -> Items:
    return Items(NAME, Object(NAME, [*_SECOND, *more]), create=OPTIONAL, since=since, until=until)


DEVICES = _devices("2.67", None, _TAG, Text("volume_type", null=True))
EARLIER_DEVICES = [
    _devices("2.42", "2.66", _TAG), _devices("2.33", "2.41"), _devices("2.32", "2.32", _TAG), _devices(None, "2.31"),
]  # fmt: skip
OLDER_DEVICES = Items("block_device_mapping", Object("block_device_mapping", _COMMON), create=OPTIONAL)
