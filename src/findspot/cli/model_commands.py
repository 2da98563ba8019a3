"""`findspot model show`, `update` and `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.artifact_commands import Ref
from findspot.cli.options import AsJson, Labels, Project, UsageMistake, existing_workspace, pairs

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion
    from findspot.workspace import Workspace

Prefix = Annotated[
    str, typer.Option("--prefix", help="Before the names of metrics and extra data.")
]
_PATHS = ("/", "./", "../", "~")


def show(ref: Ref, project: Project = None, as_json: AsJson = False) -> None:
    """Show a model: framework, file, columns, metrics, parameters, extra data, training set."""
    workspace = existing_workspace()
    _show(workspace, workspace.get_artifact(ref, project=project), as_json=as_json)


def update(
    ref: Ref,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", metavar="NAME=NUMBER", help="Repeatable.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="JSON, else text; repeatable."),
    ] = None,
    label: Labels = None,
    extra: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TARGET",
            help="A reference, a URL, or a local path that begins with /, ./, ../ or ~; "
            "repeatable.",
        ),
    ] = None,
    prefix: Prefix = "",
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Add to what is known of a model; its version and bytes stay as they are."""
    from findspot.models import update_model

    metrics = {name: _number(name, text) for name, text in pairs(metric, "--metric").items()}
    parameters = {name: _value(text) for name, text in pairs(parameter, "--param").items()}
    labels = {name: text or None for name, text in pairs(label, "--label").items()}
    targets = pairs(extra, "--extra")
    if not (metrics or parameters or labels or targets):
        raise UsageMistake(
            "Nothing is to be added.", how="For example: --metric accuracy=0.9 --label stage=trial"
        )
    workspace = existing_workspace()
    version = workspace.get_artifact(ref, project=project)
    updated = update_model(
        version,
        metrics=metrics,
        parameters=parameters,
        labels=labels,
        extra_data={
            name: _target(workspace, text, version.project) for name, text in targets.items()
        },
        key_prefix=prefix,
        workspace=workspace,
    )
    _show(workspace, updated, as_json=as_json)


def evaluate(
    ref: Ref,
    dataset: Annotated[
        str,
        typer.Argument(help="A reference, or a path or URL of a table's file.", metavar="DATASET"),
    ],
    target: Annotated[
        str | None, typer.Option(help="The column with what is true, where nobody said so yet.")
    ] = None,
    prefix: Prefix = "validation-",
    importance: Annotated[
        bool, typer.Option(help="Measure the importance of features; that predicts many times.")
    ] = True,
    trust: Annotated[bool, typer.Option(help="Load it even if that may run code.")] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Test a model of scikit-learn's kind on a table, and update it with what is found."""
    from findspot.cli.printing import note, print_fields, print_json
    from findspot.models import evaluate_on

    tested = evaluate_on(
        ref,
        dataset,
        target=target,
        prefix=prefix,
        importance=importance,
        trust=trust,
        workspace=existing_workspace(),
        project=project,
    )
    found = tested.evaluation
    if as_json:
        print_json(
            {
                "model": tested.version.uri,
                "job": tested.job.id,
                "metrics": found.metrics,
                "extra_data": {name: version.uri for name, version in found.items()},
                "left_out": found.left_out,
            }
        )
        return
    print_fields([("model", tested.version.uri), ("job", tested.job.id), *found.metrics.items()])
    print_fields((f"{name} ->", version.uri) for name, version in found.items())
    for name, reason in found.left_out.items():
        note(f"Left out: {name}: {reason}")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageMistake(f"The metric {name} is {text!r}, which is no number.") from None


def _value(text: str) -> Any:
    """A parameter's value: JSON, or else the text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _target(workspace: Workspace, text: str, project: str) -> Any:
    if text.startswith(_PATHS):
        return Path(text).expanduser()
    if "://" in text:
        return text
    return workspace.get_artifact(text, project=project)


def _show(workspace: Workspace, version: ArtifactVersion, *, as_json: bool) -> None:
    from findspot.artifacts.kinds.updates import described, extra_data_of, updates_of
    from findspot.cli.printing import print_fields, print_json, print_table, size
    from findspot.models import WrongKind

    if version.kind != "model":
        raise WrongKind(version.uri, version.kind, "model")
    fields = {
        name: value
        for name, value in described(workspace, version).present().items()
        if name not in ("extra_data", "feature_statistics")
    }
    extra = extra_data_of(workspace, version)
    updates = updates_of(workspace, version)
    if as_json:
        print_json(
            {
                "uri": version.uri,
                **fields,
                "labels": dict(version.labels),
                "tags": list(version.tags),
                "extra_data": extra,
                "updates": [
                    {
                        "uri": each.record.uri,
                        "time": each.time,
                        "job": None if each.record.producer is None else each.record.producer.job,
                        "fields": dict(each.fields),
                    }
                    for each in updates
                ],
                "files": [{"path": file.path, "size": file.size} for file in version.files],
            }
        )
        return
    columns = {name: fields.pop(name, None) or [] for name in ("inputs", "outputs")}
    trained_on = fields.pop("training_set", None)
    print_fields(
        [
            ("uri", version.uri),
            *((name.replace("_", " "), value) for name, value in fields.items()),
            ("training set", None if trained_on is None else trained_on.get("uri")),
            *((name, [_column(each) for each in found]) for name, found in columns.items()),
            ("tags", list(version.tags)),
            ("labels", dict(version.labels)),
            *((f"{name} ->", target) for name, target in extra.items()),
            ("updates", len(updates) or None),
        ]
    )
    typer.echo()
    print_table(
        ("file", "size"),
        ((file.path, size(file.size)) for file in version.files),
        empty="It has no files.",
        whole=("size",),
    )


def _column(column: dict[str, Any]) -> str:
    return f"{column.get('name') or 'array'}: {column.get('type')}"
