"""The documentation is true: its code runs, its links lead somewhere, the site builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs_pages import DOCS, ROOT, RUN, SHOWN, Block, PageRun, blocks, commands, pages

BIN = Path(sys.executable).parent


def runnable() -> list[Any]:
    """The pages with something to run; those that start processes count as slow."""
    found = []
    for page in pages():
        kinds = {block.language for block in blocks(page) if block.language in RUN}
        if kinds:
            marks = [pytest.mark.slow] if "console" in kinds else []
            found.append(pytest.param(page, id=page.stem, marks=marks))
    return found


@pytest.mark.parametrize("page", runnable())
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "page"
    # Pages that show the examples' files run in a copy of them.
    included = "examples/tutorial/" in page.read_text(encoding="utf-8")
    if included and page.stem == "tutorial":
        shutil.copytree(ROOT / "examples" / "tutorial", folder)
    else:
        folder.mkdir()
    monkeypatch.chdir(folder)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    PageRun(page, folder, environment).run()


def test_every_block_is_of_a_kind_that_is_run_or_only_shown() -> None:
    strange = [
        f"{page.name}:{block.line}: {block.language or 'no language'}"
        for page in pages()
        for block in blocks(page)
        if block.language not in RUN | SHOWN
    ]
    assert strange == []


def test_yaml_blocks_are_yaml() -> None:
    for page in pages():
        for block in blocks(page):
            if block.language == "yaml" and not block.is_included:
                yaml.safe_load(block.text)


def test_local_links_lead_to_files() -> None:
    link = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
    broken = [
        f"{page.name}: {target}"
        for page in pages()
        for target in link.findall(page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w/-]+\.md", text))
    assert listed == {page.relative_to(DOCS).as_posix() for page in pages() if DOCS in page.parents}


def test_the_targets_that_the_readme_names_exist() -> None:
    named = set(re.findall(r"`make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_commands_are_read_with_their_lines_and_statuses() -> None:
    block = Block(
        "console", None, "$ findspot run a.yaml \\\n    -p x=1\nshown\n$ findspot x  # exit 2\n", 1
    )
    assert list(commands(block)) == [("findspot run a.yaml -p x=1", 0), ("findspot x", 2)]


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "index.html").is_file()
    # The site works without a network: nothing in its pages is loaded from elsewhere.
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert (
        re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="https?://[^"]+\.(?:js|css|png)', page)
        == []
    )
