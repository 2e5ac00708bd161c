"""`pileus image fetch`: what is downloaded is what was published, or nothing is left."""

import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pileus.cli.image import command
from pileus.image.guest import GuestImageError, fetch

BODY = b"QFI\xfb" + bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on loopback, with one image."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "disk.qcow2").write_bytes(BODY)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, list(arguments))
    return done.exit_code, done.output


def test_a_url_is_downloaded_and_the_user_told_how_to_go_on(mirror: tuple[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "out.qcow2"
    code, said = run("fetch", f"{mirror[0]}/disk.qcow2", "--output", str(target))
    assert (code, target.read_bytes()) == (0, BODY)
    assert "not checked" in said
    assert f"openstack image create --disk-format qcow2 --container-format bare --file {target}" in said


def test_a_given_checksum_is_checked(mirror: tuple[str, Path], tmp_path: Path) -> None:
    code, said = run("fetch", f"{mirror[0]}/disk.qcow2", "--output", str(tmp_path / "a"), "--checksum", SHA256)
    assert code == 0
    assert SHA256 in said


def test_a_wrong_checksum_leaves_no_file(mirror: tuple[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "here"
    code, said = run("fetch", f"{mirror[0]}/disk.qcow2", "--output", str(folder / "a"), "--checksum", "0" * 64)
    assert code == 1
    assert "damaged" in said
    assert list(folder.iterdir()) == []


def test_sums_published_beside_an_image_are_used(mirror: tuple[str, Path], tmp_path: Path) -> None:
    (mirror[1] / "SUMS").write_text(f"{'1' * 64}  other.qcow2\n{SHA256} *disk.qcow2\n")
    image = fetch.KnownImage("x", "x", f"{mirror[0]}/disk.qcow2", "SUMS", "x")
    assert fetch.fetch(image, tmp_path / "out", None, lambda done, total: None) == SHA256
    (mirror[1] / "SUMS").write_text(f"{'1' * 64}  disk.qcow2\n")
    with pytest.raises(GuestImageError, match="damaged"):
        fetch.fetch(image, tmp_path / "again", None, lambda done, total: None)


def test_an_image_missing_from_its_sums_is_refused(mirror: tuple[str, Path], tmp_path: Path) -> None:
    (mirror[1] / "SUMS").write_text(f"{'1' * 64}  other.qcow2\n")
    image = fetch.KnownImage("x", "x", f"{mirror[0]}/disk.qcow2", "SUMS", "x")
    with pytest.raises(GuestImageError, match="says nothing about"):
        fetch.fetch(image, tmp_path / "out", None, lambda done, total: None)


@pytest.mark.parametrize(
    "text",
    [f"{SHA256}  disk.qcow2", f"{SHA256} *./disk.qcow2", f"SHA256 (disk.qcow2) = {SHA256}", SHA256,
     f"# disk.qcow2: 5 bytes\nSHA256 (disk.qcow2) = {SHA256.upper()}"],
)  # fmt: skip
def test_every_usual_form_of_checksum_file_is_read(text: str) -> None:
    assert fetch.digest_in(text, "disk.qcow2") == SHA256


def test_progress_reaches_the_whole_size(mirror: tuple[str, Path], tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    image = fetch.source_of(f"{mirror[0]}/disk.qcow2")
    fetch.fetch(image, tmp_path / "out", None, lambda done, total: heard.append((done, total)))
    assert heard[-1] == (len(BODY), len(BODY))


@pytest.mark.parametrize(
    ("source", "why"),
    [("nosuch", "neither a known image"), ("file:///etc/passwd", "neither a known image"),
     ("http://127.0.0.1:9/x.img", "cannot download"), ("http://127.0.0.1:9/", "names no file")],
)  # fmt: skip
def test_what_cannot_be_fetched_is_a_sentence(source: str, why: str, tmp_path: Path) -> None:
    code, said = run("fetch", source, "--output", str(tmp_path / "out"))
    assert (code, why in said, "Traceback" in said) == (1, True, False)


def test_a_missing_file_on_the_server_is_a_sentence(mirror: tuple[str, Path], tmp_path: Path) -> None:
    code, said = run("fetch", f"{mirror[0]}/nothing.img", "--output", str(tmp_path / "out"))
    assert code == 1
    assert "404" in said


def test_known_images_have_their_own_names_and_https_addresses() -> None:
    names = [image.name for image in fetch.KNOWN]
    assert len(set(names)) == len(names)
    assert all(image.url.startswith("https://") and image.sums for image in fetch.KNOWN)
    assert all(name in run("list-known")[1] for name in names)
    assert all(image.url in run("list-known", "--urls")[1] for image in fetch.KNOWN)
    told = json.loads(run("list-known", "--json")[1])
    assert [image["name"] for image in told] == names and all(image["user"] for image in told)


def test_another_architecture_is_refused() -> None:
    code, said = run("build", "--arch", "aarch64")
    assert code == 1
    assert "only x86_64" in said
