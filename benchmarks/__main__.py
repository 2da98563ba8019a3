"""``python -m benchmarks``: measure, print tables, and write JSON if asked."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.machine import facts
from benchmarks.measuring import QUICK, TINY, Scale
from benchmarks.report import document, missed, show, summary
from benchmarks.running import remove, run
from benchmarks.workloads import WORKLOADS


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line, parsed."""
    names = [workload.name for workload in WORKLOADS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes, in a few minutes")
    sizes.add_argument("--tiny", action="store_true", help="only to see that everything runs")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a bar is missed")
    parser.add_argument("--peers-only", action="store_true", help="leave Findspot out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--repeats", type=int, metavar="N", help="repetitions of each subject")
    parser.add_argument("--array-mib", type=int, metavar="N", help="size of the array in MiB")
    parser.add_argument("--table-rows", type=int, metavar="N", help="rows of the table")
    parser.add_argument("--file-mib", type=int, metavar="N", help="size of the large file in MiB")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="where to work; its disk is what is measured (default: %(default)s)",
    )
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Run what the command line asks for."""
    options = arguments(given)
    scale = TINY if options.tiny else QUICK if options.quick else Scale()
    chosen = {
        name: value
        for name in ("repeats", "array_mib", "table_rows", "file_mib")
        if (value := getattr(options, name)) is not None
    }
    scale = replace(scale, **chosen)
    full_size = not (options.quick or options.tiny)
    console = Console()
    machine = facts(options.folder)
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), style="dim")
    console.print()
    results = []
    folder = Path(tempfile.mkdtemp(prefix="findspot-benchmarks-", dir=options.folder))
    try:
        for workload in WORKLOADS:
            if options.only and workload.name not in options.only:
                continue
            with console.status(workload.name) as status:
                result = run(
                    workload,
                    scale,
                    folder,
                    only_peers=options.peers_only,
                    progress=lambda text, name=workload.name: status.update(f"{name}: {text}"),  # type: ignore[misc]
                )
            show(result, console, full_size=full_size)
            results.append(result)
    finally:
        remove(folder)
    if not options.peers_only:
        console.print(summary(results, full_size=full_size))
    if options.json:
        content = document(results, scale, machine, full_size=full_size)
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return 1 if options.strict and missed(results, full_size=full_size) else 0


if __name__ == "__main__":
    sys.exit(main())
