"""The command line's shape: commands, groups of commands, and options of all of them."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Annotated, Any

import typer
from typer.main import get_command

from findspot.cli import (
    artifact_commands,
    exchange_commands,
    experiment_commands,
    gc_commands,
    job_commands,
    lineage_commands,
    plugin_commands,
    provenance_commands,
    workspace_commands,
)
from findspot.cli.groups import (
    ArtifactCommands,
    DataCommands,
    ExperimentCommands,
    JobCommands,
    KeyCommands,
    ListedCommands,
    ModelCommands,
    PluginCommands,
    ScheduleCommands,
)
from findspot.cli.run_commands import RUN_EXAMPLES, check, run


class Commands(ListedCommands):
    """The commands; what goes wrong in one is left to `findspot.cli.main`, except what Typer would
    deal with in its own way before that."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.stderr.write("findspot: interrupted\n")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise typer.Exit(0) from None


app = typer.Typer(
    name="findspot",
    cls=Commands,
    help="Machine-learning experiments in which every artifact knows where it came from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its import takes longer than all else that --help does
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
plugins = typer.Typer(
    cls=PluginCommands, help="Plugins: list, add, show.", invoke_without_command=True
)
plugins.callback()(plugin_commands.plugins)


def _group(name: str, cls: type[ListedCommands], help: str) -> None:
    app.add_typer(typer.Typer(cls=cls, help=help, no_args_is_help=True), name=name)


def _print_version(wanted: bool) -> None:
    if wanted:
        from findspot import __version__

        typer.echo(f"findspot {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", "-w", help="Folder or URL of the workspace.", metavar="PLACE"),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    if workspace is not None:
        # Tasks that run here, and their worker processes, find the same one.
        os.environ["FINDSPOT_WORKSPACE"] = (
            workspace if "://" in workspace else os.path.abspath(workspace)
        )


app.command()(workspace_commands.init)
app.command(epilog=RUN_EXAMPLES)(run)
app.command()(check)
app.command()(job_commands.jobs)
_group("job", JobCommands, "One job: what became of it, its log; resume it, cancel it.")
app.command()(job_commands.explain)
_group(
    "schedule",
    ScheduleCommands,
    "Jobs that the clock starts: add, list, show, pause, unpause, remove, run.",
)
app.command()(experiment_commands.experiments)
_group(
    "experiment", ExperimentCommands, "One experiment: run, resume, show, results, compare, graph."
)
app.command()(artifact_commands.artifacts)
_group(
    "artifact",
    ArtifactCommands,
    "One artifact: show, save, load, download, diff, tag, label, link, sign, move, delete.",
)
_group("model", ModelCommands, "One model: show, update, evaluate.")
_group("key", KeyCommands, "Keys that versions are signed with: generate, trust, list.")
app.command()(lineage_commands.lineage)
app.command()(provenance_commands.diff)
app.command()(provenance_commands.reproduce)
app.command()(exchange_commands.push)
app.command()(exchange_commands.pull)
app.command()(exchange_commands.export)
app.command(name="import")(exchange_commands.import_file)
app.command()(plugin_commands.entrypoints)
app.add_typer(plugins, name="plugins")
_group("data", DataCommands, "Data behind paths and URLs: list, read, describe.")
app.command()(workspace_commands.projects)
app.command()(workspace_commands.verify)
app.command()(gc_commands.gc)
app.command()(workspace_commands.doctor)


@cache
def command() -> Any:
    """The whole command line; Typer would read all signatures anew for each call of ``app``."""
    return get_command(app)
