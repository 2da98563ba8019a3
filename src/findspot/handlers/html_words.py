"""The words that a page of HTML shows."""

from __future__ import annotations

from html.parser import HTMLParser


def words_of(html: str) -> list[str]:
    """The words of a page, without scripts and styles.

    >>> words_of("<p>Two &amp; <b>three</b></p><script>x</script>")
    ['Two', '&', 'three']
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.words


class _Reader(HTMLParser):
    """The words of a page without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = max(0, self._hidden - 1)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()
