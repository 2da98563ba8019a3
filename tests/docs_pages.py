"""The code blocks of the documentation, as things to run."""

from __future__ import annotations

import doctest
import linecache
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
RUN = frozenset({"python", "pycon", "console"})
SHOWN = frozenset({"bash", "text", "toml", "yaml", "json", "mermaid"})
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_EXIT = re.compile(r"\s+# exit (\d+)$")
_SNIPPET = '--8<-- "'


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Args:
        language: the first word after the fence.
        title: the file's name, where the block is a file's content.
        line: of the first line of its text in the page, from 1.
    """

    language: str
    title: str | None
    text: str
    line: int

    @property
    def is_included(self) -> bool:
        """Whether the text is taken from a file of the repository, tested where it belongs."""
        return self.text.startswith(_SNIPPET)


def pages() -> list[Path]:
    """Every page of the documentation, and the README."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    opened: re.Match[str] | None = None
    start, lines = 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif opened is None:
            opened, start, lines = fence, number + 1, []
        else:
            info = opened["info"]
            title = _TITLE.search(info)
            found.append(
                Block(
                    info.split()[0] if info.strip() else "",
                    title[1] if title else None,
                    textwrap.dedent("\n".join(lines)) + "\n",
                    start,
                )
            )
            opened = None
    assert opened is None, f"{page}: the block that begins in line {start} does not end"
    return found


def commands(block: Block) -> Iterator[tuple[str, int]]:
    """The commands of a console block, and the exit status that each must have.

    A command begins with ``$``, may go on after a backslash, and may end in ``# exit 2``.
    """
    lines = iter(block.text.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            continue
        command = line[2:]
        while command.endswith("\\"):
            command = command[:-1] + next(lines).strip()
        status = _EXIT.search(command)
        yield _EXIT.sub("", command), int(status[1]) if status else 0


@dataclass(slots=True)
class PageRun:
    """Runs the blocks of one page in order, in one folder and one module.

    Args:
        folder: the current folder.
        environment: of the commands.
    """

    page: Path
    folder: Path
    environment: dict[str, str]
    module: ModuleType = field(init=False)

    def __post_init__(self) -> None:
        self.module = ModuleType(f"docs_{self.page.stem}".replace("-", "_"))

    def run(self) -> None:
        """Run them all; the first that fails raises, and says its line in the page."""
        sys.modules[self.module.__name__] = self.module
        try:
            for block in blocks(self.page):
                if block.is_included:
                    continue
                if block.title is not None:
                    file = self.folder / block.title
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(block.text, encoding="utf-8")
                elif block.language == "python":
                    self._python(block)
                elif block.language == "pycon":
                    self._session(block)
                elif block.language == "console":
                    self._console(block)
        finally:
            del sys.modules[self.module.__name__]

    def _python(self, block: Block) -> None:
        # Line numbers in tracebacks are those of the page; tasks read their source by linecache.
        name = f"<{self.page.name}:{block.line}>"
        source = "\n" * (block.line - 1) + block.text
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec", dont_inherit=True), self.module.__dict__)

    def _session(self, block: Block) -> None:
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        test = doctest.DocTestParser().get_doctest(
            block.text, self.module.__dict__, self.page.name, str(self.page), block.line - 1
        )
        told: list[str] = []
        result = doctest.DocTestRunner(optionflags=options).run(
            test, out=told.append, clear_globs=False
        )
        self.module.__dict__.update(test.globs)
        assert result.failed == 0, "".join(told)

    def _console(self, block: Block) -> None:
        for command, status in commands(block):
            program = shlex.split(command)[0]
            assert program in ("findspot", "python"), f"{command}: not a tested command"
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=600,
            )
            said = f"{self.page.name}:{block.line}: $ {command}\n{done.stdout}{done.stderr}"
            assert done.returncode == status, said
            assert "Traceback" not in done.stderr, said
