"""The document that describes the environment of a job: Python, packages, code, machine.

It holds no secrets: of the environment variables only those in `VARIABLES` are recorded, and
arguments and URLs pass through `findspot.engine.environment.redaction`.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from findspot.core.canonical import Json, JsonObject, canonical_json
from findspot.core.digests import Digest, hash_bytes, hash_stream

FORMAT = 1

VARIABLES = (
    # Python itself
    "PYTHONHASHSEED",
    "PYTHONOPTIMIZE",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_DEFAULT_ENV",
    # how many threads compute; sums of floats depend on it
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENBLAS_CORETYPE",
    "MKL_CBWR",
    # accelerators
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "NVIDIA_VISIBLE_DEVICES",
    # frameworks
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "KERAS_BACKEND",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TOKENIZERS_PARALLELISM",
    "XLA_FLAGS",
    # how text, numbers and times are read and written
    "LANG",
    "LC_ALL",
    "TZ",
)


def describe_environment(cwd: str | os.PathLike[str] | None = None) -> JsonObject:
    """What the results of code that runs here and now may depend on, as plain JSON.

    Never raises because something cannot be found out; that is None or missing then.

    Args:
        cwd: the folder of the user's code, whose git repository is described; the current one
            by default.

    Returns:
        ``format``, ``python`` (version, implementation, executable), ``packages`` (normalised
        name: version), ``platform`` (system, release, machine, libc), ``host``, ``cpus`` (count,
        usable, model), ``git`` (see `describe_checkout`), ``cwd``,
        ``argv``, ``entry`` (the script or module that was started, with the digest of its file)
        and ``variables`` (those of `VARIABLES` that are set).
    """
    # Imported by the thread that gathers, not by everybody who starts a job.
    from findspot.engine.environment.checkout import describe_checkout
    from findspot.engine.environment.packages import installed_packages
    from findspot.engine.environment.redaction import redacted

    folder = Path(os.path.abspath(os.curdir if cwd is None else cwd))
    document: JsonObject = {
        "format": FORMAT,
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable or None,
        },
        "packages": {**installed_packages()},
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "libc": _libc(),
        },
        "host": platform.node(),
        "cpus": {"count": os.cpu_count(), "usable": _usable_cpus(), "model": _cpu_model()},
        "git": describe_checkout(folder),
        "cwd": str(folder),
        "argv": [*redacted(sys.argv)],
        "entry": _entry(folder),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
    return {name: _text(value) for name, value in document.items()}


FRESH_SECONDS = 1.0
"""A description is used for all jobs that start in so many seconds."""


class Gathering:
    """An environment that is being described by a thread in the background."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._place = (os.getpid(), dict(os.environ), tuple(sys.path))
        self._time = time.monotonic()
        self._found: tuple[Digest, bytes] | None = None
        self._lock = threading.Lock()
        self._waiting: list[Callable[[Digest, bytes], object]] = []
        self._thread = threading.Thread(
            target=self._gather, name="findspot-environment", daemon=True
        )
        self._thread.start()

    def holds(self, cwd: Path) -> bool:
        """Whether it still describes the environment of a job that starts in ``cwd`` now: it is
        younger than `FRESH_SECONDS`, and neither process, variables nor search path have changed.
        """
        return (
            self.cwd == cwd
            and time.monotonic() - self._time < FRESH_SECONDS
            and self._place == (os.getpid(), dict(os.environ), tuple(sys.path))
        )

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> tuple[Digest, bytes]:
        """The document's digest and its canonical JSON; waits until it is there."""
        if self._found is None:
            self._thread.join()
        if self._found is None:
            # The thread failed, and this raises its error; or it was lost in a fork.
            self._gather()
        assert self._found is not None
        return self._found

    def then(self, take: Callable[[Digest, bytes], object]) -> None:
        """Hand over digest and document as soon as they are there, from whatever thread; in any
        case before `result` returns."""
        with self._lock:
            if self._found is None:
                self._waiting.append(take)
                return
        take(*self._found)

    def _gather(self) -> None:
        data = canonical_json(describe_environment(self.cwd))
        found = (hash_bytes(data), data)
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for take in waiting:
                take(*found)
            self._found = found  # last, since who sees it may take it that all were told


class EnvironmentProbe:
    """Describes environments in the background; one for all jobs of a process (`shared`).

    >>> probe = EnvironmentProbe.shared()
    >>> _ = probe.start()
    >>> digest, document = probe.result()
    >>> digest[:7], document[:8]
    ('blake3:', b'{"argv":')
    """

    _shared: ClassVar[EnvironmentProbe | None] = None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: Gathering | None = None

    @classmethod
    def shared(cls) -> EnvironmentProbe:
        """The probe of this process."""
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    def start(self, cwd: str | os.PathLike[str] | None = None) -> Gathering:
        """Begin to describe the environment as it is now, and return in well under a ms.

        The `Gathering` that it returns is for this very call, also where several jobs start at the
        same time in different folders. Jobs that follow each other within `FRESH_SECONDS` share
        one.
        """
        folder = Path(os.path.abspath(os.curdir if cwd is None else cwd))
        with self._lock:
            latest = self._latest
            if latest is None or not latest.holds(folder):
                self._latest = latest = Gathering(folder)
        return latest

    def result(self) -> tuple[Digest, bytes]:
        """Digest and canonical JSON of the latest description; waits until it is there."""
        latest = self._latest
        return (self.start() if latest is None else latest).result()


def _entry(folder: Path) -> JsonObject:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    entry: JsonObject = {}
    if spec is not None:
        entry["module"] = str(spec.name).removesuffix(".__main__")
    if not isinstance(file, str) or file.startswith("<"):
        return entry or {"interactive": True}
    path = Path(os.path.abspath(file))
    if spec is None:
        within = path.is_relative_to(folder)
        entry["script"] = path.relative_to(folder).as_posix() if within else str(path)
    try:
        with path.open("rb") as stream:
            entry["digest"] = hash_stream(stream)
    except OSError:
        # It was moved or deleted since the program was started, or lies in an archive.
        entry["digest"] = None
    return entry


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        return None


def _usable_cpus() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _cpu_model() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:
        return None
    return None


def _text(value: Json) -> Json:
    """``value`` with every text fit for UTF-8: file names and arguments may be any bytes."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_text(item) for item in value]
    if isinstance(value, dict):
        return {str(_text(name)): _text(item) for name, item in value.items()}
    return value
