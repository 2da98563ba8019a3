"""Source text of small projects, for tests of provenance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

Write = Callable[[str, str], ModuleType]

COUNTING = """
from findspot import current_job, pipeline, task

def clean(word):
    return word.strip()

@task
def words(text: str) -> list:
    found = [clean(word) for word in text.split()]
    current_job().log_metric("words", len(found))
    return found

@task
def weigh(found: list, weight: int) -> int:
    return weight * len(found)

@pipeline
def count(text: str, weight: int = 1):
    return {"number": weigh(words(text), weight)}
"""

_PLUGIN = """
from findspot.plugins import register

@register
def count_words(text: str, factor: int = {factor}) -> int:
    return factor * len(text.split())
"""

_ENTRYPOINT = """
plugins: [wordy]
parameters:
  text: "two words"
graph:
  count:
    count_words: [$text]
artifact_outputs:
  number:
    contents: $count
"""


def write_wordy(folder: Path, factor: int) -> Path:
    """An entrypoint's file with a plugin beside it."""
    (folder / "wordy").mkdir(exist_ok=True)
    (folder / "wordy" / "tasks.py").write_text(_PLUGIN.format(factor=factor))
    file = folder / "wordy.yaml"
    file.write_text(_ENTRYPOINT)
    return file
