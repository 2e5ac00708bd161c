"""Image data in a bucket of any S3, in parts of one size, of which one is in memory. Needs botocore (`pileus[s3]`)."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pileus.image.drivers.base import StoreError
from pileus.image.drivers.remote import Parts, RemoteStore
from pileus.image.options import MIB, S3Options

CHUNK = 1 << 20
MOST_PARTS = 10_000


class S3Store(RemoteStore):
    """The client signs, retries and keeps connections; it may be used by several threads."""

    kind = "s3"

    def __init__(self, options: S3Options, markers: Path):
        super().__init__(options, markers)
        self.options = options
        self.client = _client(options)

    def url(self, key: str) -> str:
        return f"s3://{self.options.bucket}/{self.options.prefix}{key}"

    def size(self, key: str) -> int:
        return int(self.call("head_object", key)["ContentLength"])

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        asked = {}
        if offset or length is not None:
            asked["Range"] = f"bytes={offset}-" + (str(offset + length - 1) if length is not None else "")
        return self._chunks(self.call("get_object", key, **asked)["Body"])

    def _chunks(self, body: Any) -> Iterator[bytes]:
        try:
            yield from body.iter_chunks(CHUNK)
        except Exception as error:  # of botocore and of urllib3 below it
            raise StoreError(f"{self.name}: the download broke off: {error}") from None
        finally:
            body.close()

    def begin(self, key: str) -> Parts:
        return _S3Parts(self, key, self.call("create_multipart_upload", key)["UploadId"])

    def remove(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.call("delete_object", key)
        # parts of an upload that died cost room until they are dropped
        for name, upload in self._uploads(key):
            if name == key:
                with contextlib.suppress(FileNotFoundError):
                    self.call("abort_multipart_upload", name, UploadId=upload)

    def stored(self) -> set[str]:
        found = {name for name, _ in self._uploads("")}
        asked: dict[str, Any] = {}
        while True:
            page = self.call("list_objects_v2", None, Prefix=self.options.prefix, **asked)
            found |= {item["Key"].removeprefix(self.options.prefix) for item in page.get("Contents", [])}
            if not page.get("IsTruncated"):
                return found
            asked = {"ContinuationToken": page["NextContinuationToken"]}

    def _uploads(self, key: str) -> list[tuple[str, str]]:
        page = self.call("list_multipart_uploads", None, Prefix=self.options.prefix + key)
        return [(item["Key"].removeprefix(self.options.prefix), item["UploadId"]) for item in page.get("Uploads", [])]

    def call(self, operation: str, key: str | None, **arguments: Any) -> dict[str, Any]:
        """Raises FileNotFoundError for what is not there, else StoreError."""
        from botocore.exceptions import BotoCoreError, ClientError

        if key is not None:
            arguments["Key"] = self.options.prefix + key
        try:
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.options.bucket, **arguments)
            return answer
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NoSuchUpload", "NotFound"):
                raise FileNotFoundError(key) from None
            raise StoreError(f"{self.name}: {error}") from None
        except BotoCoreError as error:
            raise StoreError(f"{self.name}: {error}") from None


class _S3Parts(Parts):
    def __init__(self, store: S3Store, key: str, upload: str):
        self.store, self.key, self.upload = store, key, upload
        self.size = max(5, store.options.part_mib) * MIB  # S3 takes none smaller, save the last
        self.buffer = bytearray()
        self.done: list[dict[str, Any]] = []

    def write(self, chunk: bytes | memoryview) -> None:
        self.buffer += chunk
        while len(self.buffer) >= self.size:
            self._send(bytes(memoryview(self.buffer)[: self.size]))
            del self.buffer[: self.size]

    def finish(self) -> None:
        if self.buffer or not self.done:
            self._send(bytes(self.buffer))
            self.buffer.clear()
        parts = {"Parts": self.done}
        self.store.call("complete_multipart_upload", self.key, UploadId=self.upload, MultipartUpload=parts)

    def abort(self) -> None:
        self.store.call("abort_multipart_upload", self.key, UploadId=self.upload)

    def _send(self, body: bytes) -> None:
        number = len(self.done) + 1
        if number > MOST_PARTS // 2:  # a part may grow: 5,000 of 16 MiB, the rest of sixteen times that
            self.size = max(self.size, 256 * MIB)
        answer = self.store.call("upload_part", self.key, UploadId=self.upload, PartNumber=number, Body=body)
        self.done.append({"PartNumber": number, "ETag": answer["ETag"]})


def _client(options: S3Options) -> Any:
    try:
        from botocore.config import Config
        from botocore.session import Session
    except ImportError:
        raise ValueError(f"The store {options.id} needs botocore: install pileus[s3].") from None
    config = Config(
        s3={"addressing_style": "path"}, connect_timeout=10, read_timeout=60, retries={"max_attempts": 3},
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
    )  # fmt: skip
    return Session().create_client(
        "s3", region_name=options.region, endpoint_url=options.url, aws_access_key_id=options.access_key,
        aws_secret_access_key=options.secret_key, config=config,
    )  # fmt: skip
