"""`findspot key ...`, `findspot artifact sign`, and signatures for `findspot verify`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.artifact_commands import Ref
from findspot.cli.options import AsJson, Project, existing_workspace

if TYPE_CHECKING:
    from findspot.artifacts.signing import SignatureCheck
    from findspot.artifacts.version import ArtifactVersion
    from findspot.workspace import Workspace


def generate(
    file: Annotated[Path, typer.Argument(help="Of the private key; the public one is beside it.")],
    as_json: AsJson = False,
) -> None:
    """Make a pair of keys to sign versions with, and print the public one."""
    from findspot.artifacts.signing import generate_key
    from findspot.cli.printing import print_json

    public = generate_key(file)
    if as_json:
        print_json({"key": public, "private": file, "public": f"{file}.pub"})
    else:
        typer.echo(public)


def trust(
    key: Annotated[str, typer.Argument(help="A public key, ed25519:..., or its .pub file.")],
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
) -> None:
    """Trust all versions that the key's owner signs."""
    from findspot.artifacts.signing import PREFIX, trust_key

    text = key
    if not key.startswith(PREFIX) and Path(key).is_file():
        text = Path(key).read_text(encoding="utf-8", errors="replace").strip()
    trust_key(existing_workspace(), text, name)
    typer.echo(f"{text} ({name}) is trusted in this workspace.")


def distrust(key: Annotated[str, typer.Argument(help="A public key, or its name.")]) -> None:
    """Trust a key no more."""
    from findspot.artifacts.signing import distrust_key, trusted_keys
    from findspot.core.errors import NotFound

    workspace = existing_workspace()
    near = [name for name in trusted_keys(workspace).values() if name][:5]
    count = distrust_key(workspace, key)
    if count == 0:
        raise NotFound("trusted key", key, near=near)
    typer.echo(f"{key} is not trusted any more.")


def list_keys(as_json: AsJson = False) -> None:
    """List the keys that this workspace trusts."""
    from findspot.artifacts.signing import trusted_keys
    from findspot.cli.printing import print_json, print_table

    keys = trusted_keys(existing_workspace())
    if as_json:
        print_json([{"key": key, "name": name} for key, name in keys.items()])
        return
    print_table(
        ("name", "key"),
        ((name, key) for key, name in keys.items()),
        empty="No key is trusted. Trust one: findspot key trust <key> <name>",
        whole=("key",),
    )


def sign(
    ref: Ref,
    key: Annotated[Path, typer.Option("--key", help="The file of the private key.")],
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Sign a version: whoever trusts the key then trusts it."""
    from findspot.artifacts.signing import sign as made
    from findspot.cli.printing import print_json

    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    signature = made(workspace, version, key)
    if as_json:
        print_json({"uri": version.uri, "key": signature.key, "signature": signature.signature})
    else:
        typer.echo(f"{version.uri} is signed by {signature.key}")


@dataclass(frozen=True)
class CheckedVersion:
    """The signatures of one version."""

    version: ArtifactVersion
    checks: list[SignatureCheck]

    @property
    def trusted(self) -> bool:
        """Whether the owner of a trusted key signed it."""
        return any(check.status == "valid" for check in self.checks)

    @property
    def damaged(self) -> bool:
        return any(check.status == "invalid" for check in self.checks)

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "uri": self.version.uri,
            "signatures": [
                {"key": check.key, "name": check.name, "status": check.status}
                for check in self.checks
            ],
        }


def checked_signatures(workspace: Workspace, ref: str | None) -> list[CheckedVersion]:
    """The signatures of one version; of all versions that have some where ``ref`` is None."""
    from findspot.artifacts.signing import verify_signatures

    if ref is not None:
        version = workspace.get_artifact(ref)
        return [CheckedVersion(version, verify_signatures(workspace, version))]
    return [
        CheckedVersion(version, verify_signatures(workspace, version))
        for project in workspace.projects()
        for version in workspace.iterate(project=project)
        if workspace.existing_catalog.signatures(version.uid)
    ]


def print_signatures(checked: list[CheckedVersion]) -> None:
    from findspot.cli.printing import print_table

    print_table(
        ("version", "signature", "by"),
        (
            (each.version.uri, check.status, check.name or check.key)
            for each in checked
            for check in each.checks
        ),
        empty="There are no signatures.",
        whole=("signature",),
    )
