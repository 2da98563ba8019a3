"""Whose bytes may run code: what this workspace made, and what the user trusts; nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from findspot import FindspotError, Workspace
from findspot.artifacts.settings import BadSettings
from findspot.artifacts.trust import UntrustedVersion
from findspot.core.digests import hash_bytes
from findspot.core.errors import NotFound
from findspot.core.records import manifest_digest
from findspot.handlers import Untrusted

MARK = Path(tempfile.gettempdir()) / f"findspot-charge-{os.getpid()}"


class Charge:
    """Runs code when it is unpickled: it leaves a mark."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (str(MARK), 0o700, True)


def charged() -> bool:
    """Whether one has gone off since the last time that this was asked."""
    try:
        MARK.rmdir()
    except FileNotFoundError:
        return False
    return True


@pytest.fixture(autouse=True)
def unarmed() -> Iterator[None]:
    yield
    charged()


def edit(space: Workspace, sql: str, *values: object) -> None:
    connection = sqlite3.connect(space.folder / "catalog.db")
    with connection:
        assert connection.execute(sql, values).rowcount == 1
    connection.close()


def test_a_pickle_of_this_workspace_loads(space: Workspace) -> None:
    saved = space.save_artifact(Charge(), "x", handler="pickle")
    space.load_artifact("x")
    assert charged()
    assert space.trust.is_own(saved.record)
    with Workspace(space.url, **space.overrides) as again:
        again.load_artifact("x")
        assert charged()


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with somebody else's catalog and blobs, but a secret of its own."""
    with Workspace(tmp_path / "theirs") as theirs:
        theirs.save_artifact(Charge(), "x", handler="pickle")
        theirs.save_artifact([1, 2], "harmless")
        origin = theirs.id
    with Workspace(tmp_path / "mine") as mine:
        mine.save_artifact(0, "own")
        assert mine.id != origin
    for name in ("catalog.db", "blobs"):
        source, target = (tmp_path / w / ".findspot" / name for w in ("theirs", "mine"))
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            for old in target.parent.glob("catalog.db*"):
                old.unlink()
            shutil.copy(source, target)
    with Workspace(tmp_path / "mine") as mine:
        assert mine.id == origin
        yield mine


def test_a_pickle_from_elsewhere_is_refused_and_nothing_runs(foreign: Workspace) -> None:
    version = foreign.get_artifact("x")
    looks: list[Callable[[], Any]] = [version.load, lambda: foreign.load_artifact("x")]
    for look in looks:
        with pytest.raises(UntrustedVersion) as caught:
            look()
        assert not charged()
    text = str(caught.value)
    assert version.uri in text
    assert version.record.origin in text
    assert "trust=True" in text
    assert f"findspot artifact trust {version.uri}" in text
    assert (caught.value.handler, caught.value.exit_code) == ("pickle", 7)
    assert isinstance(caught.value, Untrusted)


def test_its_bytes_can_be_looked_at_and_what_is_harmless_loads(
    foreign: Workspace, tmp_path: Path
) -> None:
    assert foreign.load_artifact("harmless") == [1, 2]
    assert foreign.download("x", tmp_path / "to")
    assert foreign.get_artifact("x").path().exists()
    assert foreign.verify().sound
    assert not charged()


def test_trust_for_once(foreign: Workspace) -> None:
    foreign.load_artifact("x", trust=True)
    assert charged()
    with pytest.raises(UntrustedVersion):
        foreign.load_artifact("x")


def test_trust_for_good(foreign: Workspace) -> None:
    assert foreign.trust_version("x").key == "x"
    foreign.trust_version("x")
    for space in (foreign, Workspace(foreign.url)):
        space.load_artifact("x")
        assert charged()
        space.close()
    assert len((foreign.folder / "trusted").read_text().split()) == 1


@pytest.mark.parametrize(
    "column", ["origin", "seal", "digest", "handler", "uid of another version"]
)
def test_a_forged_record_is_refused(foreign: Workspace, column: str) -> None:
    own = foreign.save_artifact([3], "mine", handler="pickle")
    other = foreign.get_artifact("x")
    if column == "origin":
        edit(foreign, "UPDATE versions SET origin = ? WHERE uid = ?", foreign.id, other.uid)
    elif column == "seal":
        for seal in (own.record.seal, "", "é" * 64):
            edit(foreign, "UPDATE versions SET seal = ? WHERE uid = ?", seal, other.uid)
            with pytest.raises(UntrustedVersion):
                foreign.load_artifact("x")
    elif column == "digest":
        foreign.trust_version(own)  # so that its digest is on the list
        edit(foreign, "UPDATE versions SET digest = ? WHERE uid = ?", own.digest, other.uid)
    elif column == "handler":
        json = foreign.save_artifact({}, "harmless too")
        edit(foreign, "UPDATE versions SET handler = 'pickle' WHERE uid = ?", json.uid)
        with pytest.raises(UntrustedVersion):
            foreign.load_artifact("harmless too")
    else:
        (file,) = other.files
        edit(
            foreign,
            "UPDATE files SET digest = ?, size = ? WHERE owner = ?",
            *(file.digest, file.size, own.uid),
        )
        with pytest.raises(UntrustedVersion):
            foreign.load_artifact("mine")
    with pytest.raises(UntrustedVersion):
        foreign.load_artifact("x")
    assert not charged()


def test_a_plugins_code_from_elsewhere_is_not_even_looked_at(foreign: Workspace) -> None:
    harmless = foreign.get_artifact("harmless")
    digest = manifest_digest(harmless.files, "plugin:evil/Task")
    edit(
        foreign,
        "UPDATE versions SET handler = 'plugin:evil/Task', digest = ? WHERE uid = ?",
        *(digest, harmless.uid),
    )
    with pytest.raises(UntrustedVersion):
        foreign.load_artifact("harmless")
    with pytest.raises(NotFound, match="plugin 'evil'"):
        foreign.load_artifact("harmless", trust=True)


def test_a_copy_of_the_whole_workspace_is_the_same_workspace(tmp_path: Path) -> None:
    with Workspace(tmp_path / "a") as space:
        space.save_artifact(Charge(), "x", handler="pickle")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Workspace(tmp_path / "b") as copy:
        copy.load_artifact("x")
        assert charged()


def test_without_its_secret_a_workspace_does_not_know_its_own(local: Workspace) -> None:
    local.save_artifact(Charge(), "x", handler="pickle")
    (local.folder / "secret").unlink()
    with Workspace(local.url) as later:
        with pytest.raises(UntrustedVersion):
            later.load_artifact("x")
        assert not (later.folder / "secret").exists()  # to look makes none
        later.save_artifact(Charge(), "y", handler="pickle")
        later.load_artifact("y")
        assert charged()


def test_the_secret_is_for_its_owner_only_and_a_damaged_one_is_named(local: Workspace) -> None:
    local.save_artifact(1, "x")
    secret = local.folder / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_bytes()) == 32
    secret.write_bytes(b"short")
    with Workspace(local.url) as later:
        with pytest.raises(FindspotError, match="secret is damaged"):
            later.save_artifact(2, "x")
        assert later.get_artifact("x").version == 1


def test_a_damaged_list_of_trust_trusts_nothing(foreign: Workspace) -> None:
    (foreign.folder / "trusted").write_bytes(b"\xff\xfe\n" + hash_bytes(b"").encode())
    with pytest.raises(UntrustedVersion):
        foreign.load_artifact("x")
    foreign.trust_version("x")
    with pytest.raises(UntrustedVersion):  # its line was glued to the damaged one
        foreign.load_artifact("x")


def test_somebody_who_may_not_read_the_secret_can_read_but_not_save() -> None:
    # Not below pytest's folder, which other users may not enter.
    with tempfile.TemporaryDirectory() as place, Workspace(place) as space:
        space.save_artifact(Charge(), "x", handler="pickle")
        space.close()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.chmod(space.folder / "secret", 0)
                other = Workspace(place)
                if os.geteuid() == 0:
                    for folder in (place, space.folder):
                        os.chmod(folder, 0o777)
                    for file in space.folder.glob("catalog.db*"):
                        os.chmod(file, 0o666)
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                try:
                    other.load_artifact("x")
                except UntrustedVersion:
                    code += 1
                try:
                    other.save_artifact(1, "y")
                except FindspotError as error:
                    code += "secret cannot be read" in str(error)
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


class TestWhoIsListed:
    """Versions from elsewhere that load without a word of the user, by the workspace's lists."""

    @staticmethod
    def foreign(tmp_path: Path, value: object) -> Workspace:
        """A workspace that got a pickle from another one."""
        from findspot.artifacts.transfer import push

        source, target = Workspace(tmp_path / "source"), Workspace(tmp_path / "target")
        version = source.save_artifact(value, "thing", handler="pickle")
        push(source, target, [version])
        return target

    def test_a_signature_by_a_trusted_key(self, tmp_path: Path) -> None:
        from findspot.artifacts.signing import generate_key, sign, trust_key

        target = self.foreign(tmp_path, Fraction(1, 3))
        with pytest.raises(UntrustedVersion):
            target.load_artifact("thing")
        public = generate_key(tmp_path / "key")
        sign(target, "thing", tmp_path / "key")
        with pytest.raises(UntrustedVersion):
            target.load_artifact("thing")
        trust_key(target, public, "somebody")
        assert target.load_artifact("thing") == Fraction(1, 3)

    def test_a_pickle_of_listed_modules_only(self, tmp_path: Path) -> None:
        target = self.foreign(tmp_path, Fraction(1, 3))
        settings = target.folder / "findspot.toml"
        settings.write_text(settings.read_text() + '[trust]\nmodules = ["fractions"]\n')
        assert Workspace(target.folder).load_artifact("thing") == Fraction(1, 3)
        other = self.foreign(tmp_path / "other", Path("x"))
        settings = other.folder / "findspot.toml"
        settings.write_text(settings.read_text() + '[trust]\nmodules = ["fractions"]\n')
        with pytest.raises(UntrustedVersion, match="pathlib"):
            Workspace(other.folder).load_artifact("thing")

    @pytest.mark.parametrize(
        "text", ["[trust]\nmodules = 3\n", '[trust]\nmodules = ["os"]\n', "[trust]\nkeys = []\n"]
    )
    def test_mistakes_in_the_list_are_said(self, tmp_path: Path, text: str) -> None:
        ws = Workspace(tmp_path)
        ws.init()
        settings = ws.folder / "findspot.toml"
        settings.write_text(settings.read_text() + text)
        with pytest.raises(BadSettings, match="trust"):
            Workspace(tmp_path)

    def test_rules_of_retention_are_no_mistake(self, tmp_path: Path) -> None:
        ws = Workspace(tmp_path)
        ws.init()
        settings = ws.folder / "findspot.toml"
        settings.write_text(settings.read_text() + "[[retention]]\nkeep_last = 3\n")
        assert Workspace(tmp_path).save_artifact(1, "one").version == 1
