"""What this object storage can do (`/info`), that it lives (`/healthcheck`), and who may ask from a browser's plug-in."""

from typing import Any

from pileus.core import faults
from pileus.core.routes import PUBLIC, Service
from pileus.core.wire import Request, Response
from pileus.object_storage import limits
from pileus.object_storage.api import tempurl

about = Service("object_storage", "/object", faults.object_storage)
# clients of Swift look for it at the root of the address they find the service at
root = Service("object_storage-root", "", faults.object_storage, rules="object_storage")

VERSION = "2.36.0"  # of the API's behaviour that this follows
_CROSSDOMAIN = (
    '<?xml version="1.0"?>\n<!DOCTYPE cross-domain-policy SYSTEM "http://www.adobe.com/xml/dtds/cross-domain-policy.dtd" >\n'
    "<cross-domain-policy>\n</cross-domain-policy>"
)


@about.get("/info", policy=PUBLIC, tx="")
@root.get("/info", policy=PUBLIC, tx="")
def show_info(rq: Request) -> Response:
    """Show what is supported, and the limits."""
    return Response(info(rq.cloud), 200, {"content-type": "application/json; charset=UTF-8"})


def info(cloud: Any) -> dict[str, Any]:
    realms = cloud.settings.object_storage.sync_realms
    synced: dict[str, Any] = {}
    for name, realm in sorted(realms.items()):
        synced[name] = {"clusters": {cluster: {} for cluster in realm.clusters}}
    return {
        "swift": {
            "version": VERSION,
            "max_file_size": limits.MAX_FILE,
            "max_meta_name_length": limits.MAX_META_NAME,
            "max_meta_value_length": limits.MAX_META_VALUE,
            "max_meta_count": limits.MAX_META_COUNT,
            "max_meta_overall_size": limits.MAX_META_SIZE,
            "max_header_size": limits.MAX_HEADER,
            "max_object_name_length": limits.MAX_OBJECT_NAME,
            "max_container_name_length": limits.MAX_CONTAINER_NAME,
            "max_account_name_length": limits.MAX_ACCOUNT_NAME,
            "container_listing_limit": limits.MAX_LISTING,
            "account_listing_limit": limits.MAX_LISTING,
            "extra_header_count": 0,
            "strict_cors_mode": True,
            "allow_account_management": False,
            "account_autocreate": True,
            "policies": [{"name": "Policy-0", "default": True, "aliases": "Policy-0"}],
        },
        "account_quotas": {},
        "container_quotas": {},
        "bulk_delete": {
            "max_deletes_per_request": limits.MAX_DELETES,
            "max_failed_deletes": limits.MAX_BULK_FAILURES,
        },
        "bulk_upload": {
            "max_containers_per_extraction": limits.MAX_BULK_CONTAINERS,
            "max_failed_extractions": limits.MAX_BULK_FAILURES,
        },
        "container_sync": {"realms": synced},
        "crossdomain": {},
        "dlo": {"max_segments": limits.MAX_LISTING},
        "formpost": {"allowed_digests": list(tempurl.DIGESTS), "deprecated_digests": ["sha1"]},
        "keystoneauth": {},
        "object_versioning": {},
        "slo": {
            "max_manifest_segments": limits.MAX_SEGMENTS,
            "max_manifest_size": limits.MAX_MANIFEST,
            "min_segment_size": 1,
            "allow_async_delete": True,
        },
        "staticweb": {},
        "symlink": {"symloop_max": limits.MAX_SYMLINKS, "static_links": True},
        "tempurl": {
            "methods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
            "incoming_remove_headers": ["x-timestamp", "x-open-expired"],
            "incoming_allow_headers": [],
            "outgoing_remove_headers": ["x-object-meta-*"],
            "outgoing_allow_headers": ["x-object-meta-public-*"],
            "allowed_digests": list(tempurl.DIGESTS),
            "deprecated_digests": ["sha1"],
        },
        "versioned_writes": {"allowed_flags": ["x-versions-location", "x-history-location"]},
    }


@about.route("OPTIONS", "/info", policy=PUBLIC, tx="")
@root.route("OPTIONS", "/info", policy=PUBLIC, tx="")
def ask_info(rq: Request) -> Response:
    """Say which methods there are."""
    return Response(b"", 200, {"allow": "GET, HEAD, OPTIONS", "content-type": "text/plain"})


@about.get("/healthcheck", policy=PUBLIC, tx="")
def show_health(rq: Request) -> Response:
    """Say that it lives."""
    return Response(b"OK", 200, {"content-type": "text/plain; charset=UTF-8"})


@about.get("/crossdomain.xml", policy=PUBLIC, tx="")
def show_crossdomain(rq: Request) -> Response:
    """Show which other sites' plug-ins may read: none."""
    return Response(_CROSSDOMAIN.encode(), 200, {"content-type": "application/xml"})
