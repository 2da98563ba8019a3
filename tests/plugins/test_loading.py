"""Recorded plugins, loaded: whole, verified, apart from each other, in any process."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing, StorageFull
from findspot.core.ids import new_uid
from findspot.core.records import FileEntry, Snapshot, now
from findspot.plugins import importing, materialised
from findspot.plugins.errors import PluginBroken, PluginDamaged, PluginNameMissing
from findspot.plugins.importing import meant_module
from findspot.plugins.loading import LoadedPlugin, PluginSource, load_plugin
from findspot.plugins.registration import register
from findspot.plugins.source_files import read_plugin
from findspot.store.protocol import BlobStore

WritePlugin = Callable[[str, Mapping[str, str]], Path]
Load = Callable[[Path], LoadedPlugin]
SCALING = {
    "__init__.py": "",
    "scaling.py": """\
        from findspot.plugins import register
        @register
        def scale(x: float) -> float:
            return 2 * x
        """,
}


def record(folder: Path, store: BlobStore, *, inline: bool = True) -> Snapshot:
    """A snapshot of a folder, as the catalog would give it."""
    files = read_plugin(folder)
    entries = []
    for path, data in files.contents.items():
        store.put(data)
        entries.append(FileEntry(path, hash_bytes(data), len(data), data if inline else None))
    return Snapshot(
        id=new_uid(),
        resource="plugin",
        project="default",
        name=files.name,
        number=1,
        digest=files.digest,
        body={},
        files=tuple(entries),
        created=now(),
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def load(workspace: Path, store: BlobStore) -> Load:
    def loaded(folder: Path) -> LoadedPlugin:
        snapshot = record(folder, store)
        return load_plugin(snapshot, snapshot.files, workspace, store=store)

    return loaded


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: nothing has been verified or imported yet."""
    monkeypatch.setattr(materialised, "_verified", {})
    monkeypatch.setattr(importing, "_packages", {})
    for name in [name for name in sys.modules if name.startswith("findspot_plugins.")]:
        del sys.modules[name]


def call(plugin: LoadedPlugin, task: str, *args: Any) -> Any:
    return plugin.function(plugin.analysis.tasks[task].source)(*args)


@pytest.mark.parametrize("inline", [True, False])
def test_a_function_of_a_recorded_plugin_runs(
    inline: bool, write_plugin: WritePlugin, workspace: Path, store: BlobStore
) -> None:
    snapshot = record(write_plugin("p", SCALING), store, inline=inline)
    plugin = load_plugin(snapshot, snapshot.files, workspace, store=store)
    scale = plugin.function("plugin:p/scaling.py:scale")
    assert scale(2.0) == 4.0
    assert type(scale) is type(call)
    hexadecimal = snapshot.digest.partition(":")[2]
    assert scale.__module__ == f"findspot_plugins.p_{hexadecimal[:12]}.scaling"
    file = workspace / "plugins" / hexadecimal / "p" / "scaling.py"
    assert scale.__code__.co_filename == str(file)
    assert file.stat().st_mode & 0o777 == 0o444


def test_the_snapshot_runs_whatever_was_edited_since(write_plugin: WritePlugin, load: Load) -> None:
    folder = write_plugin("p", SCALING)
    old = load(folder)
    write_plugin("p", {"scaling.py": SCALING["scaling.py"].replace("2 * x", "3 * x")})
    new = load(folder)
    assert (call(old, "scale", 1.0), call(new, "scale", 1.0)) == (2.0, 3.0)
    assert old.source.digest != new.source.digest


IMPORTS = {
    "relative": "from .inner import value",
    "by the plugin's name": "from p.inner import value",
    "plain": "from inner import value",
    "whole module": "import inner\nvalue = inner.value",
    "whole module by the plugin's name": "import p.inner\nvalue = p.inner.value",
    "renamed": "import inner as i\nvalue = i.value",
    "renamed in a folder": "import deep.core as c\nvalue = c.value",
    "everything": "from inner import *",
    "module from the plugin": "from p import inner\nvalue = inner.value",
    "module from the folder": "from . import inner\nvalue = inner.value",
    "from a folder": "from deep.core import value",
    "from below": "from deep import core\nvalue = core.value",
}


@pytest.mark.parametrize("how", IMPORTS)
def test_files_of_a_plugin_import_each_other(
    how: str, write_plugin: WritePlugin, load: Load
) -> None:
    paths = list(sys.path)
    values = []
    for number in (1, 2):
        task = f"{IMPORTS[how]}\nfrom findspot.plugins import register\n"
        task += "@register\ndef f() -> int:\n    return value\n"
        folder = write_plugin(
            "p",
            {
                "inner.py": f"value = {number}\n",
                "deep/core.py": "from ..inner import value\n",
                "tasks.py": task,
            },
        )
        values.append(load(folder))
    # Both versions at once: neither sees the other's modules.
    assert [call(plugin, "f") for plugin in values] == [1, 2]
    assert sys.path == paths
    assert not {"p", "inner", "deep"} & set(sys.modules)


def test_an_import_inside_a_function_is_the_plugins_own(
    write_plugin: WritePlugin, load: Load
) -> None:
    plugin = load(
        write_plugin(
            "p",
            {
                "inner.py": "def value(): return 'own'\n",
                "a.py": """\
                    from findspot.plugins import register
                    @register
                    def f() -> str:
                        from inner import value
                        return value()
                    """,
            },
        )
    )
    assert call(plugin, "f") == "own"


def test_what_an_import_means_can_be_asked(write_plugin: WritePlugin, load: Load) -> None:
    plugin = load(write_plugin("p", {"inner.py": "", **SCALING, "json.py": ""}))
    module = plugin.function("plugin:p/scaling.py:scale").__module__
    package = module.rpartition(".")[0]
    assert meant_module(module, "inner") == f"{package}.inner"
    assert meant_module(module, "p.inner") == f"{package}.inner"
    assert meant_module(module, "p") == package
    assert meant_module(module, "json") == "json"
    assert meant_module(module, "numpy.linalg") == "numpy.linalg"
    assert meant_module("findspot.core", "inner") == "inner"


def test_a_module_is_one_however_it_is_imported(write_plugin: WritePlugin, load: Load) -> None:
    plugin = load(
        write_plugin(
            "p",
            {
                "state.py": "seen = []\n",
                "a.py": """\
                    import state
                    from p.state import seen
                    from . import state as again
                    from findspot.plugins import register
                    @register
                    def f() -> bool:
                        return state is again and state.seen is seen
                    """,
            },
        )
    )
    assert call(plugin, "f") is True


def test_the_standard_library_and_installed_packages_are_imported_as_ever(
    write_plugin: WritePlugin, load: Load
) -> None:
    plugin = load(
        write_plugin(
            "p",
            {
                "json.py": "raise RuntimeError('shadowed')\n",
                "a.py": """\
                    import json, os.path, importlib.metadata
                    import numpy as np
                    from findspot.plugins import register
                    @register
                    def f() -> str:
                        return json.dumps([os.path.basename("a/b"), int(np.sum([1, 2]))])
                    """,
            },
        )
    )
    assert call(plugin, "f") == '["b", 3]'


def test_data_files_lie_beside_the_code(write_plugin: WritePlugin, load: Load) -> None:
    plugin = load(
        write_plugin(
            "p",
            {
                "words/stop.txt": "the",
                "__init__.py": "",
                "a.py": """\
                    from importlib.resources import files
                    from pathlib import Path
                    from findspot.plugins import register
                    @register
                    def f() -> list:
                        here = Path(__file__).parent
                        return [(here / "words" / "stop.txt").read_text(),
                                (files(__package__) / "words" / "stop.txt").read_text()]
                    """,
            },
        )
    )
    assert call(plugin, "f") == ["the", "the"]


def test_a_single_file_and_a_name_that_is_no_identifier(
    write_plugin: WritePlugin, load: Load
) -> None:
    folder = write_plugin("my plugin-1", SCALING)
    assert call(load(folder), "scale", 1.0) == 2.0
    assert call(load(folder / "scaling.py"), "scale", 1.0) == 2.0


def test_nothing_is_written_beside_the_code(
    write_plugin: WritePlugin, load: Load, workspace: Path
) -> None:
    call(load(write_plugin("p", SCALING)), "scale", 1.0)
    assert sorted(p.name for p in workspace.rglob("*") if p.is_file()) == [
        "__init__.py",
        "scaling.py",
    ]


# ---------------------------------------------------------------------- mistakes in a plugin


@pytest.mark.parametrize(
    ("inner", "where", "says"),
    [
        ("x = 1\nraise ValueError('no luck')\n", "p/inner.py:2", "ValueError: no luck"),
        ("import json\njson.loads('{')\n", "p/inner.py:2", "JSONDecodeError"),
        ("\nimport no_such_library\n", "p/inner.py:2", "no_such_library"),
        ("from .inner import missing\n", "p/inner.py:1", "cannot import name 'missing'"),
        ("x = (\n", "p/inner.py:1", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "p/inner.py:2", "SystemExit: 3"),
    ],
)
def test_an_import_that_fails_names_the_plugins_line(
    inner: str, where: str, says: str, write_plugin: WritePlugin, load: Load
) -> None:
    tasks = "from findspot.plugins import register\nimport inner\n@register\ndef f() -> int: ...\n"
    plugin = load(write_plugin("p", {"inner.py": inner, "a.py": tasks}))
    for _ in range(2):  # a failed import leaves nothing half-imported behind
        with pytest.raises(PluginBroken) as caught:
            plugin.function("plugin:p/a.py:f")
        assert caught.value.where == where
        assert says in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "plugin:p/scaling.py:gone",
        "plugin:p/scaling.py:scale.inner",
        "plugin:p/gone.py:scale",
        "plugin:p/../p/scaling.py:scale",
        "plugin:p/scaling.py:register.__globals__",
        "plugin:other/scaling.py:scale",
        "plugin:p/scaling.py",
        "module:scale",
        "",
    ],
)
def test_a_source_that_the_plugin_does_not_have(
    source: str, write_plugin: WritePlugin, load: Load
) -> None:
    plugin = load(write_plugin("p", SCALING))
    with pytest.raises(PluginNameMissing):
        plugin.function(source)


def test_an_artifact_task_that_the_plugin_does_not_have(
    write_plugin: WritePlugin, load: Load
) -> None:
    text = """\
        from findspot.plugins import ArtifactTask
        class TextTask(ArtifactTask):
            @staticmethod
            def serialize(working_dir, name, contents, **kwargs): ...
            @staticmethod
            def deserialize(working_dir, path, **kwargs): ...
        """
    plugin = load(write_plugin("p", {"a.py": text}))
    assert plugin.handler("TextTask").name == "plugin:p/TextTask"
    with pytest.raises(PluginNameMissing, match="the nearest is 'TextTask'"):
        plugin.handler("TextTsk")


# ---------------------------------------------------------------------- faults of storage


def test_a_missing_or_damaged_file_is_not_loaded(
    write_plugin: WritePlugin, workspace: Path, store: BlobStore
) -> None:
    snapshot = record(write_plugin("p", SCALING), store, inline=False)
    code = next(entry for entry in snapshot.files if entry.path == "scaling.py")
    store.delete(code.digest)
    with pytest.raises(BlobMissing, match=r"plugin p, file scaling\.py"):
        load_plugin(snapshot, snapshot.files, workspace, store=store)

    swapped = [replace(e, inline=b"raise SystemExit") for e in snapshot.files]
    with pytest.raises(BlobDamaged, match=r"plugin p, file __init__\.py"):
        load_plugin(snapshot, swapped, workspace, store=store)
    assert not (workspace / "plugins").exists()


def test_a_list_of_files_that_is_not_the_snapshots_is_refused(
    write_plugin: WritePlugin, workspace: Path, store: BlobStore
) -> None:
    snapshot = record(write_plugin("p", SCALING), store)
    for files in (snapshot.files[1:], (*snapshot.files, FileEntry("x", hash_bytes(b""), 0, b""))):
        with pytest.raises(PluginDamaged, match="not the recorded one"):
            load_plugin(snapshot, files, workspace, store=store)


def test_paths_from_a_record_never_leave_the_folder(workspace: Path, store: BlobStore) -> None:
    from findspot.plugins.source_files import files_digest

    entry = FileEntry("../../../evil.py", hash_bytes(b""), 0, b"")
    digest = files_digest("p", {entry.path: entry.digest})
    snapshot = Snapshot(
        id=new_uid(),
        resource="plugin",
        project="default",
        name="p",
        digest=digest,
        body={},
        created=now(),
    )
    with pytest.raises(PluginDamaged, match="not allowed"):
        load_plugin(snapshot, [entry], workspace, store=store)
    assert not list(workspace.parent.rglob("evil.py"))


def _edit(root: Path) -> None:
    (root / "scaling.py").chmod(0o644)
    (root / "scaling.py").write_text("def scale(x): return 'tampered'\n")


def _add(root: Path) -> None:
    (root / "numpy.py").write_text("")


def _remove(root: Path) -> None:
    (root / "__init__.py").unlink()


def _link(root: Path) -> None:
    (root / "scaling.py").rename(root.parent / "elsewhere.py")
    (root / "scaling.py").symlink_to(root.parent / "elsewhere.py")


@pytest.mark.parametrize("damage", [_edit, _add, _remove, _link])
def test_a_changed_folder_is_found_and_written_again(
    damage: Callable[[Path], None],
    write_plugin: WritePlugin,
    workspace: Path,
    store: BlobStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot = record(write_plugin("p", SCALING), store)
    load_plugin(snapshot, snapshot.files, workspace, store=store)
    root = workspace / "plugins" / snapshot.digest.partition(":")[2] / "p"
    damage(root)
    monkeypatch.setattr(materialised, "_verified", {})
    with pytest.raises(PluginDamaged):
        PluginSource("p", snapshot.digest, workspace).load()
    plugin = load_plugin(snapshot, snapshot.files, workspace, store=store)
    assert call(plugin, "scale", 1.0) == 2.0
    assert sorted(p.name for p in root.iterdir()) == ["__init__.py", "scaling.py"]
    assert [p.name for p in root.parent.parent.iterdir()] == [root.parent.name]


def test_a_full_disk_leaves_nothing(
    write_plugin: WritePlugin, workspace: Path, store: BlobStore
) -> None:
    folder = write_plugin("p", {**SCALING, "words.txt": "word " * 10_000})
    snapshot = record(folder, store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # the system itself refuses
    try:
        with pytest.raises(StorageFull):
            load_plugin(snapshot, snapshot.files, workspace, store=store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((workspace / "plugins").iterdir()) == []
    plugin = load_plugin(snapshot, snapshot.files, workspace, store=store)
    assert call(plugin, "scale", 1.0) == 2.0


def test_a_plugin_of_a_read_only_workspace_can_be_loaded(
    write_plugin: WritePlugin, workspace: Path, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Path.mkdir

    def refused(path: Path, *args: Any, **kwargs: Any) -> None:
        # Tests may run as root, whom no permission keeps from writing.
        if path.is_relative_to(workspace):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        make(path, *args, **kwargs)

    snapshot = record(write_plugin("locked", SCALING), store)
    monkeypatch.setattr(Path, "mkdir", refused)
    plugin = load_plugin(snapshot, snapshot.files, workspace, store=store)
    assert call(plugin, "scale", 1.0) == 2.0
    assert call(plugin.source.load(), "scale", 1.0) == 2.0
    assert not workspace.exists()


def test_what_killed_processes_left_behind_is_removed_after_a_day(
    write_plugin: WritePlugin, load: Load, workspace: Path
) -> None:
    old, young = workspace / "plugins" / ".draft-old", workspace / "plugins" / ".draft-young"
    for draft in (old, young):
        (draft / "p").mkdir(parents=True)
    os.utime(old, (0, 0))
    load(write_plugin("p", SCALING))
    assert (old.exists(), young.exists()) == (False, True)


def test_a_digest_from_outside_never_becomes_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no digest"):
        PluginSource("p", Digest("blake3:../../etc"), tmp_path).load()


# ---------------------------------------------------------------------- threads and processes


def test_threads_that_load_one_plugin_at_once(
    write_plugin: WritePlugin, workspace: Path, store: BlobStore
) -> None:
    snapshot = record(write_plugin("p", SCALING), store)

    def work(_: int) -> object:
        plugin = load_plugin(snapshot, snapshot.files, workspace, store=store)
        return plugin.function("plugin:p/scaling.py:scale")

    with ThreadPoolExecutor(8) as pool:
        functions = set(pool.map(work, range(32)))
    assert len(functions) == 1


PROCESS = """\
    import pickle, sys
    from pathlib import Path
    from findspot.plugins.loading import load_plugin
    from findspot.store.memory import MemoryBlobStore

    snapshot = pickle.loads(Path(sys.argv[1]).read_bytes())
    plugin = load_plugin(snapshot, snapshot.files, Path(sys.argv[2]), store=MemoryBlobStore())
    print(plugin.function("plugin:p/scaling.py:scale")(21))
    """


@pytest.mark.slow
def test_processes_that_materialise_one_plugin_at_once(
    write_plugin: WritePlugin, workspace: Path, store: BlobStore, tmp_path: Path
) -> None:
    snapshot = record(write_plugin("p", SCALING), store)
    (tmp_path / "snapshot").write_bytes(pickle.dumps(snapshot))
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(tmp_path / "snapshot")]
    running = [
        subprocess.Popen([*command, str(workspace)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=300)[0].strip() for process in running] == ["42"] * 4
    assert len(list((workspace / "plugins").iterdir())) == 1


def test_a_worker_needs_only_the_description(
    write_plugin: WritePlugin, load: Load, tmp_path: Path
) -> None:
    plugin = load(write_plugin("p", SCALING))
    (tmp_path / "source").write_bytes(pickle.dumps(plugin.source))
    code = """\
        import pickle, sys
        from pathlib import Path
        plugin = pickle.loads(Path(sys.argv[1]).read_bytes()).load()
        print(plugin.function(plugin.analysis.tasks["scale"].source)(21))
        """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "source")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "42"


def test_a_plugin_outlives_the_folder_that_it_was_first_loaded_from(
    write_plugin: WritePlugin, store: BlobStore, tmp_path: Path
) -> None:
    snapshot = record(write_plugin("p", {**SCALING, "data.txt": "x"}), store)
    first = load_plugin(snapshot, snapshot.files, tmp_path / "one", store=store)
    assert call(first, "scale", 1.0) == 2.0
    (tmp_path / "one").rename(tmp_path / "moved")
    second = load_plugin(snapshot, snapshot.files, tmp_path / "two", store=store)
    scale = second.function("plugin:p/scaling.py:scale")
    assert Path(scale.__code__.co_filename).is_relative_to(tmp_path / "two")


# ---------------------------------------------------------------------- plugins as plain modules


def test_registering_leaves_the_function_a_plain_function() -> None:
    def double(x: float) -> float:
        return 2 * x

    assert register(double) is double
    assert register("twice", outputs="y")(double) is double
    assert register()(double)(2.0) == 4.0


def test_a_plugins_file_is_an_ordinary_module(write_plugin: WritePlugin) -> None:
    folder = write_plugin("plain_plugin", SCALING)
    code = (
        "import sys; from plain_plugin.scaling import scale; print(scale(2.0));"
        "print('findspot.plugins.analysis' in sys.modules, 'findspot.graph' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["4.0", "False", "False"]
