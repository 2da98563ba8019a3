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
job = typer.Typer(
    cls=JobCommands,
    help="One job: what became of it, its log; resume it, cancel it.",
    no_args_is_help=True,
)
experiment = typer.Typer(
    cls=ExperimentCommands,
    help="One experiment: run, resume, show, results, compare, graph.",
    no_args_is_help=True,
)
artifact = typer.Typer(
    cls=ArtifactCommands,
    help="One artifact: show, save, load, download, diff, tag, label, link, sign, move, delete.",
    no_args_is_help=True,
)
model = typer.Typer(
    cls=ModelCommands,
    help="One model: show, update, evaluate.",
    no_args_is_help=True,
)
key = typer.Typer(
    cls=KeyCommands,
    help="Keys that versions are signed with: generate, trust, list.",
    no_args_is_help=True,
)
data = typer.Typer(
    cls=DataCommands,
    help="Data behind paths and URLs: list, read, describe.",
    no_args_is_help=True,
)
schedule = typer.Typer(
    cls=ScheduleCommands,
    help="Jobs that the clock starts: add, list, show, pause, unpause, remove, run.",
    no_args_is_help=True,
)
plugins = typer.Typer(
    cls=PluginCommands, help="Plugins: list, add, show.", invoke_without_command=True
)
plugins.callback()(plugin_commands.plugins)


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
app.add_typer(job, name="job")
app.command()(job_commands.explain)
app.add_typer(schedule, name="schedule")
app.command()(experiment_commands.experiments)
app.add_typer(experiment, name="experiment")
app.command()(artifact_commands.artifacts)
app.add_typer(artifact, name="artifact")
app.add_typer(model, name="model")
app.add_typer(key, name="key")
app.command()(lineage_commands.lineage)
app.command()(provenance_commands.diff)
app.command()(provenance_commands.reproduce)
app.command()(exchange_commands.push)
app.command()(exchange_commands.pull)
app.command()(exchange_commands.export)
app.command(name="import")(exchange_commands.import_file)
app.command()(plugin_commands.entrypoints)
app.add_typer(plugins, name="plugins")
app.add_typer(data, name="data")
app.command()(workspace_commands.projects)
app.command()(workspace_commands.verify)
app.command()(gc_commands.gc)
app.command()(workspace_commands.doctor)


@cache
def command() -> Any:
    """The whole command line; Typer would read all signatures anew for each call of ``app``."""
    return get_command(app)
