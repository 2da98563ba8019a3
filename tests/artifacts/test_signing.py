"""Signatures of versions, and the keys that a workspace trusts."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from findspot import Workspace
from findspot.artifacts.arrival import record
from findspot.artifacts.bundles import export_bundle, import_bundle
from findspot.artifacts.exchange import collect
from findspot.artifacts.moving import move_artifact
from findspot.artifacts.signing import (
    BadKey,
    distrust_key,
    generate_key,
    parse_public_key,
    public_text,
    read_private_key,
    sign,
    signed_by_trusted,
    statement,
    trust_key,
    trusted_keys,
    verify_signatures,
)
from findspot.artifacts.transfer import push
from findspot.artifacts.trust import UntrustedVersion
from findspot.artifacts.version import ArtifactVersion
from findspot.core.digests import hash_bytes
from findspot.core.errors import FindspotError, InvalidName
from findspot.core.records import Signature, now


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate_key(tmp_path / "ann.pem")
    return tmp_path / "ann.pem"


class TestKeys:
    def test_a_pair_of_files(self, tmp_path: Path) -> None:
        public = generate_key(tmp_path / "keys" / "ann.pem")
        private = tmp_path / "keys" / "ann.pem"
        assert private.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "keys" / "ann.pem.pub").read_text() == f"{public}\n"
        assert public_text(private) == public == parse_public_key(public)
        assert public.startswith("ed25519:")

    def test_keys_are_not_overwritten(self, key: Path) -> None:
        before = key.read_bytes()
        with pytest.raises(FindspotError, match="never overwritten"):
            generate_key(key)
        assert key.read_bytes() == before
        beside = key.with_name("bob.pem.pub")
        beside.write_text("mine")
        with pytest.raises(FindspotError, match="never overwritten"):
            generate_key(key.with_name("bob.pem"))
        assert not key.with_name("bob.pem").exists()

    def test_a_key_that_others_may_read_is_refused(self, key: Path) -> None:
        key.chmod(0o640)
        with pytest.raises(BadKey, match="chmod 600"):
            read_private_key(key)

    def test_files_that_are_no_keys(self, tmp_path: Path) -> None:
        other = ec.generate_private_key(ec.SECP256R1())
        pems = {
            "empty": b"",
            "text": b"hello",
            "other": other.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            "locked": ed25519.Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            ),
        }
        for name, data in pems.items():
            file = tmp_path / name
            file.write_bytes(data)
            file.chmod(0o600)
            with pytest.raises(BadKey, match=name):
                read_private_key(file)
        with pytest.raises(BadKey, match="generate"):
            read_private_key(tmp_path / "missing")

    @pytest.mark.parametrize(
        "text", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 43 + "=", "ed25519:" + "!" * 44]
    )
    def test_texts_that_are_no_keys(self, text: str) -> None:
        with pytest.raises(BadKey):
            parse_public_key(text)


class TestTrustedKeys:
    def test_the_list(self, one: Workspace, key: Path) -> None:
        public = public_text(key)
        assert trusted_keys(one) == {}
        trust_key(one, public, "ann")
        trust_key(one, public, "ann again")
        assert trusted_keys(one) == {public: "ann"}
        assert (one.folder / "trusted_keys").read_text() == f"{public} ann\n"
        assert distrust_key(one, "ann") == 1
        assert distrust_key(one, "ann") == 0
        assert trusted_keys(one) == {}

    def test_a_file_that_a_person_wrote(self, one: Workspace, key: Path) -> None:
        public = public_text(key)
        text = f"# keys of the lab\n\n  {public}   Ann of the lab  # since 2026"
        (one.folder / "trusted_keys").write_text(text)
        assert trusted_keys(one) == {public: "Ann of the lab"}
        other = public_text(ed25519.Ed25519PrivateKey.generate())
        trust_key(one, other, "bob")
        assert trusted_keys(one) == {public: "Ann of the lab", other: "bob"}

    def test_a_wrong_line_trusts_nobody(self, one: Workspace, key: Path) -> None:
        text = f"{public_text(key)} ann\ned25519:oops bob\n"
        (one.folder / "trusted_keys").write_text(text)
        with pytest.raises(BadKey, match="line 2"):
            trusted_keys(one)

    def test_names_hold_no_lines(self, one: Workspace, key: Path) -> None:
        with pytest.raises(InvalidName):
            trust_key(one, public_text(key), "ann\ned25519:")
        assert trusted_keys(one) == {}


class TestSignatures:
    def test_a_signature(self, one: Workspace, key: Path) -> None:
        one.save_artifact(np.arange(3), "samples")
        made = sign(one, "samples", key)
        assert sign(one, "samples", key) == made
        (unknown,) = verify_signatures(one, "samples")
        assert (unknown.status, unknown.name) == ("unknown key", None)
        trust_key(one, public_text(key), "ann")
        (check,) = verify_signatures(one, "samples")
        assert (check.status, check.name, check.key) == ("valid", "ann", public_text(key))
        (given,) = verify_signatures(one, "samples", [public_text(key)])
        assert given.status == "valid"

    def test_two_people_sign(self, one: Workspace, key: Path, tmp_path: Path) -> None:
        generate_key(tmp_path / "bob.pem")
        version = one.save_artifact(1, "n")
        sign(one, version, key)
        sign(one, version, tmp_path / "bob.pem")
        names = {public_text(key): "ann", public_text(tmp_path / "bob.pem"): "bob"}
        checks = verify_signatures(one, version, names)
        assert {(check.name, check.status) for check in checks} == {
            ("ann", "valid"),
            ("bob", "valid"),
        }

    @pytest.mark.parametrize(
        "change",
        [
            {"uid": "01a1fd3e-6b4a-7675-9cca-fafd425614d5"},
            {"digest": hash_bytes(b"other")},
            {"kind": "model"},
            {"handler": "pickle"},
            {"handler_args": {"a": 1}},
            {"python_type": "str"},
            {"origin": "elsewhere"},
            {"created": now()},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_is_signed(self, one: Workspace, change: dict[str, object]) -> None:
        record = one.save_artifact(1, "n").record
        assert statement(record) == statement(record)
        assert statement(replace(record, **change)) != statement(record)  # type: ignore[arg-type]

    def test_its_place_is_not_signed(self, one: Workspace) -> None:
        record = one.save_artifact(1, "n").record
        moved = replace(record, project="p", key="k", number=7, tags=("t",), labels={"a": "b"})
        assert statement(moved) == statement(record)

    def test_signatures_that_are_wrong(self, one: Workspace, key: Path) -> None:
        first = one.save_artifact(1, "n")
        second = one.save_artifact(2, "n")
        right = sign(one, first, key)
        trust_key(one, public_text(key), "ann")
        for wrong in ("", "AAAA", "not base64!", right.signature):
            one.catalog.add_signature(Signature(second.uid, right.key, wrong, "eve", now()))
            (check,) = verify_signatures(one, second)
            assert check.status == "invalid"
            assert signed_by_trusted(one, second.record, second.files) is None
        flipped = bytearray(base64.b64decode(right.signature))
        flipped[5] ^= 1
        text = base64.b64encode(flipped).decode()
        one.catalog.add_signature(Signature(first.uid, right.key, text, "eve", now()))
        assert verify_signatures(one, first)[0].status == "invalid"

    def test_a_signature_under_another_key(self, one: Workspace, key: Path) -> None:
        """Who signs with a key of their own and writes another's beside it gains nothing."""
        version = one.save_artifact(1, "n")
        own = ed25519.Ed25519PrivateKey.generate()
        signed = base64.b64encode(own.sign(statement(version.record))).decode()
        trust_key(one, public_text(key), "ann")
        forged = Signature(version.uid, public_text(key), signed, "eve", now())
        one.catalog.add_signature(forged)
        assert signed_by_trusted(one, version.record, version.files) is None
        odd = Signature(version.uid, "ann", signed, "eve", now())
        one.catalog.add_signature(odd)
        assert {c.status for c in verify_signatures(one, version)} == {"invalid"}


class TestTrust:
    def test_who_vouches(self, one: Workspace, key: Path) -> None:
        version = one.save_artifact({1}, "set", handler="pickle")
        assert signed_by_trusted(one, version.record, version.files) is None
        sign(one, version, key)
        assert signed_by_trusted(one, version.record, version.files) is None
        trust_key(one, public_text(key), "ann")
        assert signed_by_trusted(one, version.record, version.files) == "ann"

    def test_other_files_are_not_vouched_for(self, one: Workspace, key: Path) -> None:
        """Rows of files that were exchanged in the catalog gain nothing by the signature."""
        version = one.save_artifact("a" * 100, "text")
        other = one.save_artifact("b" * 100, "text")
        sign(one, version, key)
        trust_key(one, public_text(key), "ann")
        assert signed_by_trusted(one, version.record, other.files) is None
        assert signed_by_trusted(one, replace(version.record, handler="pickle"), version.files) is (
            None
        )

    def test_a_push_and_a_move_keep_it(self, one: Workspace, two: Workspace, key: Path) -> None:
        two.save_artifact(1, "model")
        version = one.save_artifact({1}, "model", handler="pickle")
        sign(one, version, key)
        done = push(one, two, "model")
        assert done.signatures == 1
        move_artifact(two, "model", "better/model")
        there = two.get_artifact(version.uid)
        assert (there.key, there.version) == ("better/model", 2)
        trust_key(two, public_text(key), "ann")
        assert signed_by_trusted(two, there.record, there.files) == "ann"

    def test_a_bundle_cannot_replace_it(
        self, one: Workspace, two: Workspace, key: Path, tmp_path: Path
    ) -> None:
        version = one.save_artifact(1, "n")
        sign(one, version, key)
        push(one, two, "n")
        forged = Signature(version.uid, public_text(key), "AAAA", "eve", now())
        one.catalog.add_signature(forged)
        import_bundle(two, export_bundle(one, "n", tmp_path / "b.findspot"))
        assert verify_signatures(two, "n", [public_text(key)])[0].status == "valid"


class TestPlugins:
    SOURCE = """
from pathlib import Path

from findspot.plugins import ArtifactTask, register


@register
def make() -> str:
    return "made"


class KeepText(ArtifactTask):
    @staticmethod
    def serialize(working_dir: Path, name: str, contents: str, **kwargs: object) -> Path:
        path = working_dir / f"{name}.txt"
        path.write_text(contents)
        return path

    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs: object) -> str:
        return "theirs: " + Path(working_dir, path).read_text()

    @staticmethod
    def validation() -> None:
        return None
"""
    GRAPH = """
plugins: [keeper]
graph:
  s: {task: make}
artifact_outputs:
  kept: {contents: $s, task: {name: KeepText}}
"""

    @pytest.fixture
    def kept(self, one: Workspace, tmp_path: Path) -> ArtifactVersion:
        (tmp_path / "keeper").mkdir()
        (tmp_path / "keeper" / "tasks.py").write_text(self.SOURCE)
        (tmp_path / "g.yaml").write_text(self.GRAPH)
        return one.run(tmp_path / "g.yaml").outputs["kept"]

    def test_the_code_that_loads_it_is_signed(
        self, one: Workspace, two: Workspace, kept: ArtifactVersion, key: Path
    ) -> None:
        sign(one, kept, key)
        trust_key(two, public_text(key), "ann")
        push(one, two, kept)
        there = two.get_artifact("kept")
        assert signed_by_trusted(two, there.record, there.files) == "ann"
        assert there.load(trust=True) == "theirs: made"

    def test_another_code_under_the_same_name_is_not(
        self, one: Workspace, two: Workspace, kept: ArtifactVersion, key: Path, tmp_path: Path
    ) -> None:
        sign(one, kept, key)
        assert kept.producer is not None
        (tmp_path / "keeper" / "tasks.py").write_text(self.SOURCE.replace("theirs", "evil"))
        evil = one.add_plugin(tmp_path / "keeper")
        shipment = collect(one, [kept.record], "full")
        shipment.jobs[0].record = replace(shipment.jobs[0].record, plugins={"keeper": evil.id})
        shipment.snapshots.append(replace(evil, files=one.catalog.files(evil.id)))
        record(two, shipment, refresh=False)
        trust_key(two, public_text(key), "ann")
        there = two.get_artifact("kept")
        assert signed_by_trusted(two, there.record, there.files) is None
        assert [check.status for check in verify_signatures(two, there)] == ["invalid"]

    def test_without_the_job_nobody_can_say(
        self, one: Workspace, two: Workspace, kept: ArtifactVersion, key: Path
    ) -> None:
        sign(one, kept, key)
        trust_key(two, public_text(key), "ann")
        push(one, two, kept, lineage=False)
        there = two.get_artifact("kept")
        assert signed_by_trusted(two, there.record, there.files) is None
        with pytest.raises(FindspotError, match="plugin"):
            sign(two, there, key)

    def test_the_seal_does_not_come_home(
        self, one: Workspace, two: Workspace, kept: ArtifactVersion
    ) -> None:
        """The seal says nothing of the code that would be run, so it is not taken back."""
        push(one, two, kept)
        one.delete_artifact("kept")
        push(two, one, kept.uid)
        with pytest.raises(UntrustedVersion):
            one.load_artifact("kept")


def test_the_umask_does_not_open_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        generate_key(tmp_path / "key")
    finally:
        os.umask(before)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
