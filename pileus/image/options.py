"""What an operator may say of images, under `image` in cloud.json; docs/images.md explains each with an example."""

import re
from typing import Any

import msgspec

MIB = 1 << 20
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


class StoreOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every store has: clients name it by `id`; the heavier of two is read first."""

    id: str
    description: str = ""
    weight: int = 0
    read_only: bool = False


class FileOptions(StoreOptions, tag="file"):
    """Files in a folder; without a path, in the state folder."""

    path: str = ""


class HttpOptions(StoreOptions, tag="http"):
    """Images that stay where they are on the web; nothing can be written there."""

    read_only: bool = True


class S3Options(StoreOptions, tag="s3"):
    """A bucket of any S3, which has to exist."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    prefix: str = ""
    part_mib: int = 16


class SwiftOptions(StoreOptions, tag="swift"):
    """A container of any Swift behind a Keystone; it is made when missing."""

    auth_url: str
    user: str
    password: str
    project: str
    user_domain: str = "Default"
    project_domain: str = "Default"
    region: str = ""
    container: str = "images"
    segment_mib: int = 256


class RbdOptions(StoreOptions, tag="rbd"):
    """A pool of Ceph, through the `rbd` program of ceph-common."""

    pool: str = "images"
    user: str = ""
    config: str = ""


Stores = FileOptions | HttpOptions | S3Options | SwiftOptions | RbdOptions


class WebOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may be downloaded on a user's word. Of two lists the allowing one wins; an empty one says nothing.

    Loopback, link-local and private addresses are refused unless `allowed_hosts` names them (a name, an address, a CIDR).
    """

    allowed_schemes: list[str] = msgspec.field(default_factory=lambda: ["http", "https"])
    disallowed_schemes: list[str] = []
    allowed_hosts: list[str] = []
    disallowed_hosts: list[str] = []
    allowed_ports: list[int] = msgspec.field(default_factory=lambda: [80, 443])
    disallowed_ports: list[int] = []


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All of them, with what holds when nothing is said."""

    stores: list[Stores] = msgspec.field(
        default_factory=lambda: [FileOptions(id="file", description="Files of the controller.")]
    )
    default_store: str = ""  # the first, when not named
    import_methods: list[str] = msgspec.field(
        default_factory=lambda: ["glance-direct", "web-download", "copy-image", "glance-download"]
    )
    web: WebOptions = msgspec.field(default_factory=WebOptions)
    locations: bool = False  # show and change where images are (Glance's show_multiple_locations)
    direct_url: bool = False
    convert_to: str = ""  # an imported image's disk becomes raw, qcow2 or vmdk
    inject: dict[str, str] = {}  # properties every imported image is given
    inject_not_for: list[str] = msgspec.field(default_factory=lambda: ["admin"])  # roles whose imports are left alone
    copied_properties: list[str] = msgspec.field(
        default_factory=lambda: ["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"]
    )  # glance-download
    cache_mib: int = 10 * 1024
    cache_folder: str = ""  # without, in the state folder; each of several controllers has its own
    certificates: str = ""  # a folder of PEM files that sign images; without, `certificates` in the state folder
    signatures_required: bool = False  # nodes boot no image without a signature that holds


def load(given: dict[str, Any]) -> Options:
    """Raises ValueError, naming what is wrong."""
    try:
        options = msgspec.convert(given, Options)
    except msgspec.ValidationError as error:
        raise ValueError(f"cloud.json, image: {error}") from None
    names = [store.id for store in options.stores]
    if not names or len(set(names)) != len(names) or any(not _NAME.fullmatch(name) for name in names):
        raise ValueError(f"cloud.json, image.stores: every store needs an id of its own (letters, digits), not {names}")
    if taken := {"staging", "cache"} & set(names):
        raise ValueError(f"cloud.json, image.stores: no store can be called {', '.join(sorted(taken))}")
    options.default_store = options.default_store or names[0]
    default = next((store for store in options.stores if store.id == options.default_store), None)
    if default is None or default.read_only:
        raise ValueError(f"cloud.json, image.default_store: {options.default_store!r} is no store to write to")
    if options.convert_to not in ("", "raw", "qcow2", "vmdk"):
        raise ValueError(f"cloud.json, image.convert_to: {options.convert_to!r} is not raw, qcow2 or vmdk")
    return options
