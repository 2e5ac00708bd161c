"""Brings a distribution's cloud image from its official address, and checks it against the sums published beside it."""

import hashlib
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pileus.image.guest.errors import GuestImageError

CHUNK = 1024 * 1024
# By the length of the number, as checksum files rarely say which they hold.
ALGORITHMS = {32: "md5", 64: "sha256", 96: "sha384", 128: "sha512"}


@dataclass(frozen=True)
class KnownImage:
    """A cloud image with a stable address; `sums` is relative to it, or empty where none is published."""

    name: str
    title: str
    url: str
    sums: str
    user: str


KNOWN = [
    KnownImage("cirros", "CirrOS 0.6.3, tiny, for trying out",
               "https://download.cirros-cloud.net/0.6.3/cirros-0.6.3-x86_64-disk.img", "MD5SUMS", "cirros"),
    KnownImage("debian-12", "Debian 12 bookworm",
               "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2",
               "SHA512SUMS", "debian"),
    KnownImage("debian-13", "Debian 13 trixie",
               "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2",
               "SHA512SUMS", "debian"),
    KnownImage("ubuntu-22.04", "Ubuntu 22.04 LTS",
               "https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64.img", "SHA256SUMS", "ubuntu"),
    KnownImage("ubuntu-24.04", "Ubuntu 24.04 LTS",
               "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img", "SHA256SUMS", "ubuntu"),
    KnownImage("fedora-42", "Fedora 42 Cloud",
               "https://download.fedoraproject.org/pub/fedora/linux/releases/42/Cloud/x86_64/images/"
               "Fedora-Cloud-Base-Generic-42-1.1.x86_64.qcow2", "Fedora-Cloud-42-1.1-x86_64-CHECKSUM", "fedora"),
    KnownImage("centos-9", "CentOS Stream 9",
               "https://cloud.centos.org/centos/9-stream/x86_64/images/"
               "CentOS-Stream-GenericCloud-9-latest.x86_64.qcow2",
               "CentOS-Stream-GenericCloud-9-latest.x86_64.qcow2.SHA256SUM", "cloud-user"),
    KnownImage("rocky-9", "Rocky Linux 9",
               "https://dl.rockylinux.org/pub/rocky/9/images/x86_64/Rocky-9-GenericCloud.latest.x86_64.qcow2",
               "Rocky-9-GenericCloud.latest.x86_64.qcow2.CHECKSUM", "rocky"),
    KnownImage("almalinux-9", "AlmaLinux 9",
               "https://repo.almalinux.org/almalinux/9/cloud/x86_64/images/"
               "AlmaLinux-9-GenericCloud-latest.x86_64.qcow2", "CHECKSUM", "almalinux"),
    KnownImage("opensuse-15.6", "openSUSE Leap 15.6",
               "https://download.opensuse.org/distribution/leap/15.6/appliances/"
               "openSUSE-Leap-15.6-Minimal-VM.x86_64-Cloud.qcow2",
               "openSUSE-Leap-15.6-Minimal-VM.x86_64-Cloud.qcow2.sha256", "opensuse"),
    KnownImage("alpine-3.21", "Alpine Linux 3.21",
               "https://dl-cdn.alpinelinux.org/alpine/v3.21/releases/cloud/"
               "generic_alpine-3.21.0-x86_64-bios-cloudinit-r0.qcow2",
               "generic_alpine-3.21.0-x86_64-bios-cloudinit-r0.qcow2.sha512", "alpine"),
    KnownImage("arch", "Arch Linux, rolling",
               "https://geo.mirror.pkgbuild.com/images/latest/Arch-Linux-x86_64-cloudimg.qcow2",
               "Arch-Linux-x86_64-cloudimg.qcow2.SHA256", "arch"),
]  # fmt: skip


def find_known(name: str) -> KnownImage | None:
    return next((image for image in KNOWN if image.name == name), None)


def source_of(name_or_url: str) -> KnownImage:
    """A known image, or a stand-in for any http(s) address."""
    known = find_known(name_or_url)
    if known is not None:
        return known
    parts = urllib.parse.urlsplit(name_or_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        names = ", ".join(image.name for image in KNOWN)
        raise GuestImageError(f"{name_or_url} is neither a known image ({names}) nor an http(s) URL")
    if not Path(parts.path).name:
        raise GuestImageError(f"{name_or_url} names no file")
    return KnownImage(Path(parts.path).name, name_or_url, name_or_url, "", "")


def fetch(source: KnownImage, output: Path, digest: str | None, progress: Callable[[int, int], None]) -> str | None:
    """Download into `output`; returns what the content was checked against, None when nothing was known.

    `progress` hears bytes so far and in all (0 when the server does not say). A wrong or short body leaves no file.
    """
    expected = digest or published_digest(source)
    if expected is not None and len(expected) not in ALGORITHMS:
        raise GuestImageError(f"{expected} is no md5, sha256, sha384 or sha512 sum")
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".part")
    try:
        actual = receive(source.url, partial, ALGORITHMS[len(expected)] if expected else "sha256", progress)
        if expected is not None and actual != expected.lower():
            raise GuestImageError(f"{source.url} was damaged on its way: its sum is {actual}, it should be {expected}")
        partial.rename(output)
    finally:
        partial.unlink(missing_ok=True)
    return expected


def receive(url: str, file: Path, algorithm: str, progress: Callable[[int, int], None]) -> str:
    summed = hashlib.new(algorithm, usedforsecurity=False)
    done = 0
    try:
        with open_url(url) as response, file.open("wb") as target:
            total = int(response.headers.get("Content-Length") or 0)
            while chunk := response.read(CHUNK):
                summed.update(chunk)
                target.write(chunk)
                done += len(chunk)
                progress(done, total)
    except OSError as error:
        raise GuestImageError(f"cannot download {url}: {error}") from error
    if total and done != total:
        raise GuestImageError(f"{url} ended after {done} of {total} bytes: try again")
    return summed.hexdigest()


def published_digest(source: KnownImage) -> str | None:
    """The sum the distribution publishes for the image; None where it publishes none."""
    if not source.sums:
        return None
    url = urllib.parse.urljoin(source.url, source.sums)
    try:
        with open_url(url) as response:
            text = response.read(CHUNK).decode(errors="replace")
    except OSError as error:
        raise GuestImageError(f"cannot download the image's checksums {url}: {error}") from error
    found = digest_in(text, Path(urllib.parse.urlsplit(source.url).path).name)
    if found is None:
        raise GuestImageError(f"{url} says nothing about {Path(source.url).name}: the image may have a new name")
    return found


def digest_in(text: str, file_name: str) -> str | None:
    """A file's sum in a checksum file: `SUM  NAME`, `ALGORITHM (NAME) = SUM`, or the sum alone."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        found = re.search(r"(?<![0-9a-fA-F])([0-9a-fA-F]{32,128})(?![0-9a-fA-F])", line)
        if found is None or len(found[1]) not in ALGORITHMS:
            continue
        names = re.split(r"[\s()*=]+", line)
        if file_name in (Path(name).name for name in names) or (len(lines) == 1 and line == found[1]):
            return found[1].lower()
    return None


def open_url(url: str) -> Any:
    # Some mirrors refuse the library's own name.
    request = urllib.request.Request(url, headers={"User-Agent": "pileus-image-fetch"})  # noqa: S310
    return urllib.request.urlopen(request, timeout=60)  # noqa: S310
