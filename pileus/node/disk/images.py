"""The cache of base images: verified when they arrive, read-only from then on, shared by all overlays of a host."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from pileus.core import disk_formats, qemu_img
from pileus.core.errors import EngineError, Fault
from pileus.core.signatures import BadSignature, Signed, Verifier
from pileus.node.disk.qcow2 import HEAD_BYTES, check_header
from pileus.node.errors import NodeError
from pileus.node.protocol import Image, PutImage
from pileus.node.run import run

# what becomes of an image's format on this host
FORMATS = {
    "raw": "raw", "iso": "raw", "qcow2": "qcow2", "vmdk": "qcow2", "vdi": "qcow2", "vhd": "qcow2", "vhdx": "qcow2",
}  # fmt: skip
NOBODY = "65534"
INSPECT_SECONDS = 20
SPARE = 64 << 20  # bytes which stay free on the disk
ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


def checked_id(value: str) -> str:
    """Identifiers become file names."""
    if not ID.fullmatch(value):
        raise NodeError("invalid", f"{value!r} is no identifier")
    return value


class ImageCache:
    """`<id>` is the image and `<id>.json` its description, which is written last: without it the image is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.part"):
            left.unlink()

    def path(self, image_id: str) -> Path:
        return self.folder / checked_id(image_id)

    def find(self, image_id: str) -> Image | None:
        try:
            return msgspec.json.decode(self._note(image_id).read_bytes(), type=Image)
        except (FileNotFoundError, msgspec.MsgspecError):  # a note that cannot be read: sent again, it is written again
            return None

    def list(self) -> list[Image]:
        return [image for note in sorted(self.folder.glob("*.json")) if (image := self.find(note.stem))]

    def put(self, args: PutImage, body: Iterable[bytes]) -> Image:
        checked_id(args.image_id)
        if have := self.find(args.image_id):
            return have
        if args.format not in FORMATS:
            raise NodeError("invalid", f"this host cannot boot an image of format {args.format}: convert it to qcow2")
        if shutil.disk_usage(self.folder).free < args.size + SPARE:
            raise NodeError("no_space", f"no room for an image of {args.size} bytes")
        part = self.folder / f".{uuid.uuid4().hex}.part"
        try:
            sha512 = receive(part, args, looked_at(args.format, body))
            if args.format not in ("raw", "iso", "qcow2"):
                sha512 = convert(part, args.format)
            virtual_size = inspect(part, FORMATS[args.format])
            image = Image(
                image_id=args.image_id,
                format=FORMATS[args.format],
                size=part.stat().st_size,
                virtual_size=virtual_size,
                sha512=sha512,
            )
            with self._lock:
                if have := self.find(args.image_id):  # somebody else sent it meanwhile; overlays may stand on theirs
                    return have
                part.rename(self.path(args.image_id))
                write_atomically(self._note(args.image_id), msgspec.json.encode(image))
            return image
        finally:
            for left in (part, part.with_suffix(".qcow2.part")):
                left.unlink(missing_ok=True)

    def remove(self, image_id: str) -> None:
        with self._lock:
            self._note(image_id).unlink(missing_ok=True)
            self.path(image_id).unlink(missing_ok=True)

    def _note(self, image_id: str) -> Path:
        return self.folder / f"{checked_id(image_id)}.json"


def looked_at(disk_format: str, body: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, if they are of the declared format alone and lead to no other file.

    Asked here always, whatever was asked when they were uploaded.
    """
    inspector = disk_formats.Inspector(disk_format)
    try:
        for chunk in body:
            inspector.eat(chunk)
            yield chunk
        inspector.finish()
    except disk_formats.Refused as why:
        raise NodeError("invalid", str(why)) from None


def receive(path: Path, args: PutImage, body: Iterable[bytes]) -> str:
    """Write what comes, holes for zeros, and refuse it unless it is what was announced. Returns its sha512."""
    try:
        digest, size = hashlib.new(args.algorithm, usedforsecurity=False), 0
    except ValueError:
        raise NodeError("invalid", f"image {args.image_id}: the hash {args.algorithm} is not known here") from None
    signed = verifier(args)
    with path.open("xb") as file:
        for chunk in body:
            size += len(chunk)
            if size > args.size:
                break
            digest.update(chunk)
            if signed:
                signed.eat(chunk)
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), os.SEEK_CUR)
            else:
                file.write(chunk)
        file.truncate(size)
        os.fchmod(file.fileno(), 0o444)  # a base is never written again; QEMU's own user must read it
    if size != args.size:
        raise NodeError("invalid", f"image {args.image_id}: {size} bytes came instead of {args.size}")
    if digest.hexdigest() != args.sha512:
        raise NodeError("invalid", f"image {args.image_id}: the bytes are not those of the announced {args.algorithm}")
    if signed:
        try:
            signed.finish()
        except BadSignature as e:
            raise NodeError("invalid", f"image {args.image_id}: {e}") from None
    return args.sha512 if args.algorithm == "sha512" else sha512_of(path)


def sha512_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def verifier(args: PutImage) -> Verifier | None:
    if args.signature is None:
        return None
    try:
        return Verifier(Signed(*args.signature))
    except BadSignature as e:
        raise NodeError("invalid", f"image {args.image_id}: {e}") from None


def convert(part: Path, declared: str) -> str:
    """What came becomes the same disk as qcow2. Returns its sha512: another host may be sent it from here."""
    target = part.with_suffix(".qcow2.part")
    try:
        qemu_img.convert(part, declared, target, "qcow2")
    except (Fault, EngineError) as e:
        raise NodeError("invalid", f"the image cannot be converted: {e}") from None
    target.chmod(0o444)
    target.rename(part)
    return sha512_of(part)


def inspect(path: Path, kind: str) -> int:
    """The size a guest would see. qemu-img looks at it with no rights, no network, little memory and little time."""
    with path.open("rb") as file:
        if kind == "raw":
            return os.fstat(file.fileno()).st_size
        check_header(file.read(HEAD_BYTES))
        file.seek(0)
        try:
            told = run(
                "unshare", "--net", "--",
                "prlimit", "--as=1073741824", f"--cpu={INSPECT_SECONDS}", "--fsize=0", "--core=0", "--",
                "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--",
                "qemu-img", "info", "--output=json", "-f", kind, "/dev/stdin",
                seconds=INSPECT_SECONDS + 5, stdin_fd=file.fileno(),
            )  # fmt: skip
        except NodeError as e:
            raise NodeError("invalid", f"the image cannot be read: {e.message}") from e
    info = json.loads(told)
    data = info.get("format-specific", {}).get("data", {})
    if info.get("backing-filename") or data.get("data-file"):
        raise NodeError("invalid", "the image points to other files")
    return int(info["virtual-size"])


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """After a power cut either the old content is there or the new, never half of one."""
    part = path.with_name(f".{path.name}.part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
