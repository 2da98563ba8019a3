"""Pages of HTML: what a report or a notebook's `HTML` object shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder

_FILE = "page.html"


@dataclass(frozen=True)
class HtmlPage:
    """A piece or a whole page of HTML, shown by a notebook as what it is.

    >>> HtmlPage("<b>fine</b>")
    HtmlPage(11 characters)
    """

    html: str = field(repr=False)

    def __repr__(self) -> str:
        return f"HtmlPage({len(self.html)} characters)"

    def __str__(self) -> str:
        return self.html

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> Path:
        """Write the page to a file in UTF-8; returns the path."""
        target = Path(path)
        target.write_text(self.html, encoding="utf-8")
        return target


class HtmlHandler(Handler):
    """`HtmlPage`, and IPython's ``HTML`` (loaded as an `HtmlPage`), in ``page.html``.

    The preview is its text: whoever shows the page itself must keep its scripts apart.
    """

    name = "html"
    types = (HtmlPage, "IPython.core.display.HTML")
    kind = "plot"
    representations = ("str",)

    def accepts(self, value: Any) -> bool:
        return isinstance(_html_of(value), str)

    def why_not(self, value: Any) -> str:
        return "it holds no HTML but a reference to it"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        folder.write(_FILE, _html_of(value).encode("utf-8", "surrogatepass"))

    def load(self, folder: LoadFolder, /, **args: Any) -> HtmlPage:
        return HtmlPage(self.load_as(folder, "str", {}))

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> str:
        try:
            return folder.read(_FILE).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise BadFiles(f"it is not text in UTF-8: {error}", where=_FILE) from error

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"characters": len(_html_of(value))}

    def preview(self, value: Any) -> Preview | None:
        from findspot.handlers.html_words import words_of

        return text_preview(" ".join(words_of(_html_of(value)[:65536])))


def _html_of(value: Any) -> Any:
    return value.html if isinstance(value, HtmlPage) else getattr(value, "data", None)
