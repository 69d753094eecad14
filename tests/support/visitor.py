"""Somebody at the page of a real ``serve``, without a browser: signs in, and reads."""

import html
import json
import re
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode

from tests.support.system import Serving

_TAGS = re.compile(r"<[^>]*>")


class Visitor:
    """Signed in by the credential that `addon-sync page --show-credential` prints."""

    def __init__(self, serving: Serving) -> None:
        self._url = serving.url
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar()))
        self._opener = urllib.request.build_opener(*handlers)
        note = json.loads((serving.host.state / "engine.json").read_text(encoding="utf-8"))
        form = urlencode({"credential": note["token"], "next": "/"}).encode()
        asked = urllib.request.Request(f"{self._url}/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        with self._opener.open(asked, timeout=30) as answer:
            answer.read()

    def get(self, path: str) -> str:
        """The source of a page."""
        with self._opener.open(self._url + path, timeout=30) as answer:
            source: bytes = answer.read()
        return source.decode()

    def read(self, path: str) -> str:
        """What stands on a page, in one line."""
        return " ".join(html.unescape(_TAGS.sub(" ", self.get(path))).split())
