"""Watching a plan while a model writes it: whether its first module shows, and the titles of its modules."""

import json
import re

_FIRST_MODULE = re.compile(r'"modules"\s*:\s*[\[{]')
# Enough for the longest match; white space beyond it would be no answer anybody waits for.
_TAIL = 200
_TITLES = ("title", "task")


class ModuleWatch:
    """Told the pieces of one answer in order. `has_begun`: the text so far shows the first module."""

    def __init__(self) -> None:
        self.has_begun = False
        self.titles: list[str] = []
        self._tail = ""
        self._scan = _Scan(self.titles)

    def feed(self, piece: str) -> list[str]:
        """Take a piece; the titles of modules that have become known with it."""
        known = len(self.titles)
        if self.has_begun:
            self._scan.feed(piece)
        else:
            self._tail += piece
            found = _FIRST_MODULE.search(self._tail)
            if found is None:
                self._tail = self._tail[-_TAIL:]
            else:
                self.has_begun = True
                self._scan.feed(self._tail[found.end() :])
        return self.titles[known:]


class _Scan:
    """Reads JSON sign by sign from within the list of modules, and takes the first title of each object in it."""

    def __init__(self, titles: list[str]) -> None:
        self._titles = titles
        self._depth = 0
        self._text: list[str] | None = None
        self._escaped = False
        self._key: str | None = None
        self._last: str | None = None
        self._titled = False
        self._over = False

    def feed(self, piece: str) -> None:
        for sign in piece:
            if self._over:
                return
            if self._text is not None:
                self._in_string(sign)
            elif sign == '"':
                self._text = []
            else:
                self._between(sign)

    def _in_string(self, sign: str) -> None:
        text = self._text if self._text is not None else []
        if sign == '"' and not self._escaped:
            self._text = None
            self._string_ended("".join(text))
            return
        self._escaped = sign == "\\" and not self._escaped
        text.append(sign)

    def _between(self, sign: str) -> None:
        if sign in "{[":
            self._depth += 1
            self._titled = self._titled and self._depth > 1
            self._key = None
        elif sign in "}]":
            self._depth -= 1
            self._over = self._depth < 0
            self._key = None
        elif sign == ":":
            self._key = self._last
        elif sign == ",":
            self._key = None

    def _string_ended(self, raw: str) -> None:
        self._last = raw
        if self._depth == 1 and self._key in _TITLES and not self._titled:
            self._titled = True
            try:
                self._titles.append(" ".join(str(json.loads(f'"{raw}"')).split()))
            except ValueError:
                return
