"""`findspot gc`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import AsJson, ChosenKind, UsageMistake, existing_workspace

if TYPE_CHECKING:
    from findspot.artifacts.collecting import CollectionPlan, CollectionReport
    from findspot.artifacts.retention import RetentionRule
    from findspot.workspace import Workspace

_LONGEST = 100_000.0


def gc(
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; else it is only said what would be done.")
    ] = False,
    keep_last: Annotated[
        int | None, typer.Option(min=0, help="The newest so many of each artifact stay.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(min=0, max=_LONGEST, help="Versions younger than this stay.")
    ] = None,
    kind: ChosenKind = None,
    project: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Only of these projects.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="GLOB", help="Only of these keys.")] = None,
    quarantine_days: Annotated[
        float, typer.Option(min=0, max=_LONGEST, help="So long blobs wait in quarantine.")
    ] = 7.0,
    grace_hours: Annotated[
        float, typer.Option(min=0, max=_LONGEST, help="Blobs written later than this stay.")
    ] = 24.0,
    every: Annotated[bool, typer.Option("--all", help="List also the versions that stay.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget versions that retention gives up, delete blobs that nobody needs; --apply does it.

    The rules are those of findspot.toml, or one made of --keep-last and --keep-days. Versions with
    a tag stay, and so do those that a version which stays was made from or links to. Blobs go to
    quarantine first, and are deleted by a later collection.
    """
    from findspot.artifacts.collecting import collect
    from findspot.artifacts.retention import retention_rules
    from findspot.cli.printing import print_json
    from findspot.cli.progress import bar
    from findspot.engine.process import is_alive, this_process

    workspace = existing_workspace()
    chosen = {"kind": kind, "project": project, "key": key}
    if keep_last is None and keep_days is None:
        _only_with_rules(chosen)
        rules: tuple[RetentionRule, ...] = retention_rules(workspace)
    else:
        rules = (_rule(keep_last, keep_days, chosen),)
    for name, number in (("--quarantine-days", quarantine_days), ("--grace-hours", grace_hours)):
        if number != number:
            raise UsageMistake(f"{name} must be a number.")
    with bar("collecting" if apply else "looking", as_json=as_json) as shown:
        report = collect(
            workspace,
            rules,
            dry_run=not apply,
            quarantine_days=quarantine_days,
            grace_hours=grace_hours,
            is_alive=is_alive,
            process=this_process(),
            progress=shown.stage,
        )
    if as_json:
        print_json(_document(report))
    else:
        _print(workspace, report, rules, every=every)


def _only_with_rules(chosen: dict[str, Any]) -> None:
    given = [f"--{name}" for name, value in chosen.items() if value is not None]
    if given:
        raise UsageMistake(
            f"{', '.join(given)} narrow a rule, and there is none.",
            how="Say what stays: --keep-last 3, or --keep-days 30.",
        )


def _rule(keep_last: int | None, keep_days: float | None, chosen: dict[str, Any]) -> RetentionRule:
    from findspot.artifacts.retention import RetentionRule

    narrowed = {name: value for name, value in chosen.items() if value is not None}
    return RetentionRule(keep_last=keep_last, keep_days=keep_days, **narrowed)


def _document(report: CollectionReport) -> dict[str, Any]:
    plan = report.plan
    return {
        "dry_run": report.dry_run,
        "versions": [
            {
                "uid": version.uid,
                "project": version.project,
                "key": version.key,
                "version": version.number,
                "size": version.size,
                "goes": version.goes,
                "reason": version.reason,
            }
            for version in plan.versions
        ],
        "blobs": [
            {
                "digest": blob.digest,
                "size": blob.size,
                "action": blob.action,
                "reason": blob.reason,
            }
            for blob in plan.blobs
        ],
        "needed": plan.needed,
        "deleted": report.deleted,
        "spared": report.spared,
        "quarantined": report.quarantined,
        "restored": report.restored,
        "purged": report.purged,
        "freed": plan.freed if report.dry_run else report.freed,
        "leases": [lease.id for lease in report.leases],
    }


def _print(
    workspace: Workspace,
    report: CollectionReport,
    rules: tuple[RetentionRule, ...],
    *,
    every: bool,
) -> None:
    from findspot.cli.printing import counted, note, print_table, size

    plan = report.plan
    listed = plan.versions if every else plan.going
    if listed:
        print_table(
            ("version", "size", "", "reason"),
            ((v.name, size(v.size), "goes" if v.goes else "stays", v.reason) for v in listed),
            empty="",
            whole=("size", ""),
        )
        typer.echo()
    _print_blobs(plan)
    if not rules:
        note(f"There are no rules of retention in {workspace.folder / 'findspot.toml'}.")
    stay = len(plan.versions) - len(plan.going)
    if report.dry_run:
        typer.echo(
            f"{len(plan.going)} of {len(plan.versions)} versions would go, {stay} stay; "
            f"{size(plan.freed)} would be freed now. Nothing was changed."
        )
        if plan.going or any(blob.action != "stays" for blob in plan.blobs):
            note("Do it: the same with --apply")
        return
    typer.echo(
        f"Forgotten: {counted(len(report.deleted), 'version')}. Blobs: "
        f"{len(report.quarantined)} into quarantine, {len(report.restored)} brought back, "
        f"{len(report.purged)} deleted. Freed: {size(report.freed)}."
    )
    if report.spared:
        note(f"Used or tagged meanwhile, and kept: {counted(len(report.spared), 'version')}.")


def _print_blobs(plan: CollectionPlan) -> None:
    from findspot.cli.printing import print_table, size

    counts = Counter((blob.action, blob.reason) for blob in plan.blobs)
    sizes = Counter[tuple[str, str]]()
    for blob in plan.blobs:
        sizes[blob.action, blob.reason] += blob.size
    if not counts:
        return
    words = {"stays": "stay", "quarantine": "to quarantine", "restore": "back", "delete": "go"}
    print_table(
        ("blobs", "size", "", "reason"),
        (
            (count, size(sizes[action, reason]), words[action], reason)
            for (action, reason), count in sorted(counts.items())
        ),
        empty="",
        whole=("blobs", "size", ""),
    )
    typer.echo()
