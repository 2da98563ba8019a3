"""The command line's shape: commands, groups of commands, and options of all of them."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from findspot.cli import (
    artifact_commands,
    diff_commands,
    exchange_commands,
    gc_commands,
    job_commands,
    key_commands,
    lineage_commands,
    link_commands,
    naming_commands,
    plugin_commands,
    workspace_commands,
)
from findspot.cli.run_commands import RUN_EXAMPLES, check, run


class Commands(TyperGroup):
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
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
job = typer.Typer(
    help="One job: what became of it, its log; resume it, cancel it.", no_args_is_help=True
)
artifact = typer.Typer(
    help="One artifact: show, save, load, download, diff, tag, label, link, sign, move, delete.",
    no_args_is_help=True,
)
key = typer.Typer(
    help="Keys that versions are signed with: generate, trust, list.", no_args_is_help=True
)
plugins = typer.Typer(help="Plugins: list, add, show.", invoke_without_command=True)


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
app.command()(artifact_commands.artifacts)
app.add_typer(artifact, name="artifact")
app.add_typer(key, name="key")
app.command()(lineage_commands.lineage)
app.command()(exchange_commands.push)
app.command()(exchange_commands.pull)
app.command()(exchange_commands.export)
app.command(name="import")(exchange_commands.import_file)
app.command()(plugin_commands.entrypoints)
app.add_typer(plugins, name="plugins")
app.command()(workspace_commands.projects)
app.command()(workspace_commands.verify)
app.command()(gc_commands.gc)
app.command()(workspace_commands.doctor)

job.command()(job_commands.show)
job.command()(job_commands.log)
job.command()(job_commands.resume)
job.command()(job_commands.cancel)

artifact.command()(artifact_commands.show)
artifact.command()(artifact_commands.save)
artifact.command()(artifact_commands.load)
artifact.command()(artifact_commands.download)
artifact.command()(diff_commands.diff)
artifact.command()(naming_commands.tag)
artifact.command()(naming_commands.untag)
artifact.command()(naming_commands.history)
artifact.command()(naming_commands.protect)
artifact.command()(naming_commands.unprotect)
artifact.command()(artifact_commands.label)
artifact.command()(link_commands.link)
artifact.command()(link_commands.unlink)
artifact.command()(link_commands.links)
artifact.command()(key_commands.sign)
artifact.command()(artifact_commands.trust)
artifact.command()(naming_commands.move)
artifact.command()(artifact_commands.delete)

key.command()(key_commands.generate)
key.command()(key_commands.trust)
key.command()(key_commands.distrust)
key.command(name="list")(key_commands.list_keys)

plugins.callback()(plugin_commands.plugins)
plugins.command()(plugin_commands.add)
plugins.command()(plugin_commands.show)
