"""Fixtures for every test: an environment that neither reads nor changes the developer's own."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator

import pytest

SERVERS = frozenset({"postgres_server", "s3_server"})
SERVER_KINDS = frozenset({"postgres", "s3"})


def pytest_configure(config: pytest.Config) -> None:
    """Property tests draw the same examples at each run, and a slow machine is no failure.

    What a shell runs in the background is started with Ctrl-C ignored, and hands that on to what
    it starts; tests need it to work.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import settings

        settings.load_profile("ci")
    if not hasattr(config, "workerinput"):
        _list_fonts(config)


def _list_fonts(config: pytest.Config) -> None:
    """Before the tests, since Matplotlib takes seconds for it, and if these are many, says so in
    the log of whatever step runs then. The list is kept between test runs."""
    assert config.cache is not None
    folder = config.cache.mkdir("matplotlib")
    if importlib.util.find_spec("matplotlib") is None or any(folder.glob("fontlist-*.json")):
        return
    environment = {**os.environ, "MPLCONFIGDIR": str(folder)}
    command = [sys.executable, "-W", "ignore", "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env=environment, capture_output=True, check=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick loop does without servers: tests on PostgreSQL or S3 are marked slow."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        chosen = (
            set()
            if callspec is None
            else {v for v in callspec.params.values() if isinstance(v, str)}
        )
        if SERVERS & set(getattr(item, "fixturenames", ())) or SERVER_KINDS & chosen:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collection makes stays until the end: no garbage collection goes through it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_finish() -> None:
    """From here on no bytecode is kept: tests write a module, import it and write it anew within a
    second, and Python tells the two by second and size."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@pytest.fixture(scope="session", autouse=True)
def own_home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A home of the test run's own, no settings from outside, and drawing without a screen."""
    home = tmp_path_factory.mktemp("home")
    cache = request.config.cache
    assert cache is not None
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FINDSPOT_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
        patch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
        patch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))
        patch.setenv("MPLBACKEND", "Agg")
        patch.setenv("MPLCONFIGDIR", str(cache.mkdir("matplotlib")))
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        # Rich asks for these; a test's output must not depend on the terminal it is started from.
        for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "dumb")
        yield


@pytest.fixture(autouse=True)
def unchanged_environment() -> Iterator[None]:
    """Whatever a test does to environment variables ends with it."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
