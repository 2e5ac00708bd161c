"""An S3 in memory: as much of it as an image store uses. It looks at no signature."""

import hashlib
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Answer = tuple[int, str | bytes, dict[str, str]]


class S3:
    """Buckets of objects, and uploads in parts."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.uploads: dict[str, tuple[str, str, dict[int, bytes]]] = {}
        s3 = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                s3.answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        status, content, headers = self.of(request, bucket, key, query, body)
        data = content if isinstance(content, bytes) else content.encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)

    def of(self, request: BaseHTTPRequestHandler, bucket: str, key: str, query: dict[str, Any], body: bytes) -> Answer:
        verb = request.command
        if verb == "PUT" and not key:
            self.buckets.setdefault(bucket, {})
            return 200, "", {}
        objects = self.buckets.get(bucket)
        if objects is None:
            return _missing("NoSuchBucket")
        if not key:
            return self.listing(bucket, objects, query)
        if "uploads" in query or "uploadId" in query:
            return self.upload(verb, bucket, key, query, body)
        if verb == "DELETE":
            objects.pop(key, None)
            return 204, "", {}
        if key not in objects:
            return _missing("NoSuchKey")
        whole, wanted = objects[key], request.headers.get("Range", "")
        if wanted.startswith("bytes="):
            first, _, last = wanted[6:].partition("-")
            return 206, whole[int(first) : int(last) + 1 if last else None], {}
        return 200, whole, {}

    def listing(self, bucket: str, objects: dict[str, bytes], query: dict[str, Any]) -> Answer:
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

    def upload(self, verb: str, bucket: str, key: str, query: dict[str, Any], body: bytes) -> Answer:
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
