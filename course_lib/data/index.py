"""Asks the package index for a file's address where there is no pip, as in uv's environments.

The user's settings count: the variables of pip and uv, then pip's configuration files. Both forms
of the index's "simple" pages are read, JSON and HTML (PEP 691, PEP 503).
"""

import configparser
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import requests

from course_lib.data.download import Unreachable

PUBLIC = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
MAIN = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
EXTRA = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
TIMEOUT_S = 30


def address(package: str, file: str, session: requests.Session) -> str:
    """Where the file of that name lies, in the first index that has it.

    Raises Unreachable when none has it, with what each said.
    """
    said = []
    for base in bases():
        page = f"{base.rstrip('/')}/{re.sub(r'[-_.]+', '-', package).lower()}/"
        shown = urlsplit(page)._replace(netloc=urlsplit(page).netloc.rpartition("@")[2]).geturl()
        try:
            answer = session.get(page, headers={"Accept": ACCEPT}, timeout=TIMEOUT_S)
            answer.raise_for_status()
            for link in _links(answer):
                url = urljoin(answer.url, link)
                if unquote(urlsplit(url).path.rpartition("/")[2]) == file:
                    return url.partition("#")[0]
        except (requests.RequestException, ValueError) as error:
            said.append(f"{shown}: {type(error).__name__}")
        else:
            said.append(f"{shown} has no {file}")
    raise Unreachable("; ".join(said) or "pip's settings forbid to ask an index")


def bases() -> list[str]:
    """The indexes to ask, in order."""
    settings = configured()
    if os.environ.get("PIP_NO_INDEX", settings.get("no-index", "")).lower() in ("1", "true", "yes"):
        return []
    chosen = [os.environ[name] for name in MAIN if os.environ.get(name)]
    more = [word for name in EXTRA for word in os.environ.get(name, "").split()]
    # uv lets an index have a name: `mine=https://…`.
    found = [re.sub(r"^\w[\w-]*=(?=https?://)", "", url) for url in more]
    found += (chosen or [settings.get("index-url", PUBLIC)])[:1]
    return list(dict.fromkeys([*found, *settings.get("extra-index-url", "").split()]))


def configured() -> dict[str, str]:
    """What pip's configuration files say; the one nearest to the user last, hence stronger."""
    parser = configparser.RawConfigParser(strict=False)
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    home = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    windows = [Path(os.environ[key]) for key in ("PROGRAMDATA", "APPDATA") if key in os.environ]
    files = [
        Path("/etc") / name,
        *(folder / "pip" / name for folder in windows),
        home / "Library" / "Application Support" / "pip" / name,
        home / ".pip" / name,
        config / "pip" / name,
        Path(sys.prefix) / name,
        Path(os.environ.get("PIP_CONFIG_FILE") or os.devnull),
    ]
    for file in files:
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeError):
            continue
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return found


def _links(answer: requests.Response) -> list[str]:
    if "json" in answer.headers.get("Content-Type", ""):
        return [str(each["url"]) for each in answer.json()["files"]]
    reader = _Anchors()
    reader.feed(answer.text)
    return reader.found


class _Anchors(HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes one link."""
        self.found += [value for name, value in attrs if (tag, name) == ("a", "href") and value]
