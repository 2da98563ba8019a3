"""Peers that have an interpreter of their own, because their dependencies clash with ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import TracebackType

from benchmarks.measuring import Peer, Scale

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-peers"
PINS = ROOT / "benchmarks" / "peers.txt"

_VERSIONS = """
import json, sys
from importlib import metadata
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def interpreter() -> Path:
    """The Python of the peers' environment; ``make bench`` makes it."""
    return ENVIRONMENT / "bin" / "python"


def pinned() -> dict[str, str]:
    """The peers and the versions of them that are to be measured."""
    found: dict[str, str] = {}
    for line in PINS.read_text().splitlines():
        name, _, version = line.partition("==")
        found[name.strip()] = version.strip()
    return found


@cache
def installed() -> Mapping[str, str]:
    """The peers that are there, with their versions."""
    if not interpreter().exists():
        return {}
    command = [str(interpreter()), "-c", _VERSIONS, *pinned()]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def absent(peer: Peer) -> str | None:
    """Why a peer cannot be measured; None where it can."""
    if peer.package in installed():
        return None
    return f"{peer.package} is not installed in {ENVIRONMENT.name} (`make bench` does it)"


class PeerProcess:
    """One subject in a process of the peers' interpreter, which lives until the block ends."""

    def __init__(self, peer: Peer) -> None:
        self._process = subprocess.Popen(
            [interpreter(), "-m", "benchmarks.peer_serving", peer.target],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._process:
            if error is not None:
                self._process.kill()
            elif self._process.stdin is not None:
                self._process.stdin.close()

    def measure(self, folder: Path, scale: Scale) -> Mapping[str, float]:
        """The figures of one repetition.

        Raises:
            RuntimeError: what the subject raised, or that its process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"folder": str(folder), "scale": asdict(scale)}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"its process ended with {self._process.wait()}")
        answer = json.loads(line)
        if "failure" in answer:
            raise RuntimeError(answer["failure"])
        figures: dict[str, float] = answer["figures"]
        return figures
