"""An S3 in memory: as much of it as an image store uses. It looks at no signature."""

import hashlib
import uuid
from xml.sax.saxutils import escape

from tests.outside import Answer, Asked, Outside, part_of


class S3(Outside):
    """Buckets of objects, and uploads in parts."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.uploads: dict[str, tuple[str, str, dict[int, bytes]]] = {}

    def answer(self, asked: Asked) -> Answer:
        verb, query = asked.verb, asked.query
        bucket, _, key = asked.path.lstrip("/").partition("/")
        if verb == "PUT" and not key:
            self.buckets.setdefault(bucket, {})
            return 200, "", {}
        objects = self.buckets.get(bucket)
        if objects is None:
            return _missing("NoSuchBucket")
        if not key:
            return self.listing(bucket, objects, query)
        if "uploads" in query or "uploadId" in query:
            return self.upload(verb, bucket, key, query, asked.body)
        if verb == "DELETE":
            objects.pop(key, None)
            return 204, "", {}
        if key not in objects:
            return _missing("NoSuchKey")
        return part_of(objects[key], asked)

    def listing(self, bucket: str, objects: dict[str, bytes], query: dict[str, str]) -> Answer:
        prefix = query.get("prefix", "")
        if "uploads" in query:
            found = "".join(
                f"<Upload><Key>{escape(key)}</Key><UploadId>{upload}</UploadId></Upload>"
                for upload, (place, key, _) in self.uploads.items()
                if place == bucket and key.startswith(prefix)
            )
            return 200, f"<ListMultipartUploadsResult>{found}</ListMultipartUploadsResult>", {}
        names = sorted(key for key in objects if key.startswith(prefix) and key > query.get("continuation-token", ""))
        page = names[:2]  # small pages: whoever lists has to turn them
        found = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in page)
        if len(names) > len(page):
            found += f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        return 200, f"<ListBucketResult>{found}</ListBucketResult>", {}

    def upload(self, verb: str, bucket: str, key: str, query: dict[str, str], body: bytes) -> Answer:
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.uploads[upload] = (bucket, key, {})
            return 200, f"<R><UploadId>{upload}</UploadId></R>", {}
        found = self.uploads.get(query["uploadId"])
        if found is None:
            return _missing("NoSuchUpload")
        if verb == "PUT":
            found[2][int(query["partNumber"])] = body
            return 200, "", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}
        del self.uploads[query["uploadId"]]
        if verb == "DELETE":
            return 204, "", {}
        self.buckets[bucket][key] = b"".join(part for _, part in sorted(found[2].items()))
        return 200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>", {}


def _missing(code: str) -> Answer:
    return 404, f"<Error><Code>{code}</Code><Message>It is not there.</Message></Error>", {}
