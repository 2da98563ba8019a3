"""A process killed at any moment of storing leaves the whole blob or nothing, and no waste."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from findspot.core.digests import hash_bytes
from findspot.store.local import LocalBlobStore

SCRIPT = Path(__file__).with_name("killed_put.py")
SMALL = b"sherds " * 100
LARGE = b"amphora " * (9 << 17)


def run(scenario: str, base: Path) -> list[Path]:
    """One folder for each moment at which the process was killed, then the one where it lived."""
    command = [sys.executable, str(SCRIPT), scenario, str(base)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    killed = sorted(
        (path for path in base.iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
    )
    return [*killed, base / "whole"]


@pytest.mark.parametrize(
    "scenario",
    [
        "put_small",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "put_large",
                "write_parts",
                "put_file",
                "move_file",
                "move_from_scratch",
                "mend",
            )
        ),
    ],
)
def test_a_kill_at_every_call_leaves_all_or_nothing(scenario: str, tmp_path: Path) -> None:
    data = SMALL if scenario == "put_small" else LARGE
    digest = hash_bytes(data)
    folders = run(scenario, tmp_path)
    stored_at = []
    left = 0
    for folder in folders:
        store = LocalBlobStore(folder / "blobs")
        source = folder / "source"
        listed = [(stored.digest, stored.size) for stored in store.list()]
        damaged_before = scenario == "mend" and listed == [(digest, len(data) - 1)]
        assert listed in ([], [(digest, len(data))]) or damaged_before
        whole = bool(listed) and not damaged_before
        if whole:
            stored_at.append(folder)
            assert store.read(digest) == data
        if scenario.endswith("_file") and not whole:
            assert source.read_bytes() == data, "the file is not lost before it is stored"

        left += store.tidy(older_than_seconds=0)
        tmp = folder / "blobs" / "tmp"
        assert not tmp.exists() or list(tmp.iterdir()) == []
        assert store.missing([digest]) == (set() if listed else {digest}), "tidy spares blobs"

        store.put(data)
        assert store.verify(digest).size == len(data)
        shutil.rmtree(folder)  # together they are gigabytes

    # Kills came before, between and after: the store went from nothing to the whole blob, once.
    assert len(folders) > 5
    assert (left == 0) is (scenario == "move_file"), "only a file that is moved is not copied"
    first = folders.index(stored_at[0])
    assert 0 < first < len(folders)
    assert stored_at == folders[first:]


def test_tidy_spares_what_a_living_process_is_writing(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from findspot.store.local import LocalBlobStore
store = LocalBlobStore(Path(sys.argv[1]))
with store.writer() as writer, store.scratch() as folder:
    writer.write(bytes(2 << 20))
    (folder / "file").write_bytes(bytes(1000))
    print("writing", flush=True)
    sys.stdin.readline()
    assert (folder / "file").exists()
    writer.commit()
    print("stored", flush=True)
    sys.stdin.readline()
"""
    store = LocalBlobStore(tmp_path)
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        assert store.tidy(older_than_seconds=0) == 0
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "stored\n"
        process.kill()
    assert store.read(hash_bytes(bytes(2 << 20))) == bytes(2 << 20)
    assert store.tidy() == 0, "it is not a day old"
    assert store.tidy(older_than_seconds=0) == 1000
    assert list((tmp_path / "tmp").iterdir()) == []
