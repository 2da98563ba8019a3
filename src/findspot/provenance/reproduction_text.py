"""A `Reproduction` as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from findspot.provenance.diff_text import change_line, code_lines, section, visible
from findspot.provenance.reproduction import OutputComparison, Reproduction

_LOG_LINES = 20
_IDENTICAL = 10

_SAID = {
    "identical": "The same bytes were made again.",
    "equal": "Other bytes with the same content were made.",
    "different": "Another content was made.",
    "undecided": "Other bytes were made; whether the content is the same cannot be told.",
    "failed": "It was not made again.",
}


def render(found: Reproduction) -> str:
    """The outcome first, then what explains it."""
    lines = [f"{found.version}: {found.outcome}. {_SAID[found.outcome]}"]
    if found.failure:
        lines += section("Failure", found.failure.splitlines())
    lines += section("Outputs", list(_outputs(found)))
    lines += section("First different", list(found.first_different))
    lines += section("Notes", list(found.notes))
    lines += section("Code", [line for code in found.code for line in code_lines(code)])
    if found.outcome != "identical":
        changes = [change_line(change) for change in found.environment]
        lines += section("Environment", changes)
        lines += section("Log", found.log.splitlines()[-_LOG_LINES:])
    if found.folder is not None:
        lines.append(f"Kept in {found.folder}")
    return "\n".join(visible(line) for line in lines)


def _outputs(found: Reproduction) -> Iterator[str]:
    """Those that are not identical first; of many that are, only how many."""
    same = [output for output in found.outputs.values() if output.outcome == "identical"]
    for output in found.outputs.values():
        if output.outcome != "identical":
            yield from _output(output)
    for output in same[:_IDENTICAL]:
        yield from _output(output)
    if len(same) > _IDENTICAL:
        yield f"... and {len(same) - _IDENTICAL} more identical ones"


def _output(output: OutputComparison) -> list[str]:
    reason = f" ({output.reason})" if output.reason else ""
    lines = [f"{output.name}: {output.outcome}{reason}"]
    for content in output.content:
        if output.outcome == "different":
            said = content.reason or ", ".join(
                f"{name} {value}" for name, value in content.found.items() if _is_short(value)
            )
            lines.append(f"  {content.path}: {said}")
    return lines


def _is_short(value: object) -> bool:
    return isinstance(value, int | float | str) and len(str(value)) < 60
