"""A page as Python's HTML parser reads it, for tests."""

import json
from html.parser import HTMLParser


class Page(HTMLParser):
    """What stands in a page: its tables as text, ids, links, and the text of its scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.tables, self.scripts, self.text = [], {}, [], ""
        self._caption = self._cell = self._script = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = ""
        elif tag == "caption":
            self._caption = ""
        elif tag in ("script", "style"):
            self._script = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._rows[-1].append(self._cell)
            self._cell = None
        elif tag == "caption":
            self.tables[self._caption] = self._rows
            self._caption = None
        elif tag in ("script", "style"):
            self.scripts += [self._script] if tag == "script" else []
            self._script = None

    def handle_data(self, data):
        data = data.replace("\xa0", " ")
        if self._script is not None:
            self._script += data
            return
        self.text += data
        if self._cell is not None:
            self._cell += data
        if self._caption is not None:
            self._caption += data

    @property
    def data(self):
        return json.loads(self.scripts[0])

    def of(self, tag):
        return [attributes for own, attributes in self.elements if own == tag]
