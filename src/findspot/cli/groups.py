"""Groups of commands, made only when one of their commands is asked for.

Typer reads the signature of every command that it is told of, which takes most of the time of
`findspot --help` and of each command. So a group tells it of its commands late.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cached_property
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


class ListedCommands(TyperGroup):
    """A group whose help says of each command the whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(200)) for name, each in self.commands.items()]
            )


class LateCommands(ListedCommands):
    """A group that registers its commands when they are first looked at."""

    def register(self, app: typer.Typer) -> None:
        """Tell ``app`` of each command."""
        raise NotImplementedError

    @cached_property
    def _registered(self) -> MutableMapping[str, Any]:
        app = typer.Typer(rich_markup_mode=None)
        self.register(app)
        return get_group(app).commands

    @property
    def commands(self) -> MutableMapping[str, Any]:
        return self._registered

    @commands.setter
    def commands(self, found: MutableMapping[str, Any]) -> None:
        """What Typer found before: nothing."""


class JobCommands(LateCommands):
    """`findspot job ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import job_commands, provenance_commands

        app.command()(job_commands.show)
        app.command()(job_commands.log)
        app.command()(job_commands.resume)
        app.command()(job_commands.cancel)
        app.command()(provenance_commands.export)


class ArtifactCommands(LateCommands):
    """`findspot artifact ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import (
            artifact_commands,
            diff_commands,
            key_commands,
            link_commands,
            naming_commands,
        )

        app.command()(artifact_commands.show)
        app.command()(artifact_commands.save)
        app.command()(artifact_commands.load)
        app.command()(artifact_commands.download)
        app.command()(artifact_commands.url)
        app.command()(diff_commands.diff)
        app.command()(naming_commands.tag)
        app.command()(naming_commands.untag)
        app.command()(naming_commands.history)
        app.command()(naming_commands.protect)
        app.command()(naming_commands.unprotect)
        app.command()(artifact_commands.label)
        app.command()(link_commands.link)
        app.command()(link_commands.unlink)
        app.command()(link_commands.links)
        app.command()(key_commands.sign)
        app.command()(artifact_commands.trust)
        app.command()(naming_commands.move)
        app.command()(artifact_commands.delete)


class ExperimentCommands(LateCommands):
    """`findspot experiment ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import experiment_commands, result_commands

        app.command()(experiment_commands.run)
        app.command()(experiment_commands.resume)
        app.command()(result_commands.show)
        app.command()(result_commands.results)
        app.command()(result_commands.compare)
        app.command()(experiment_commands.graph)


class KeyCommands(LateCommands):
    """`findspot key ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import key_commands

        app.command()(key_commands.generate)
        app.command()(key_commands.trust)
        app.command()(key_commands.distrust)
        app.command(name="list")(key_commands.list_keys)


class DataCommands(LateCommands):
    """`findspot data ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import data_commands

        app.command()(data_commands.ls)
        app.command()(data_commands.cat)
        app.command()(data_commands.stat)


class ModelCommands(LateCommands):
    """`findspot model ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import model_commands

        app.command()(model_commands.show)
        app.command()(model_commands.update)
        app.command()(model_commands.evaluate)


class ScheduleCommands(LateCommands):
    """`findspot schedule ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import schedule_commands

        app.command()(schedule_commands.add)
        app.command(name="list")(schedule_commands.list_schedules)
        app.command()(schedule_commands.show)
        app.command()(schedule_commands.pause)
        app.command()(schedule_commands.unpause)
        app.command()(schedule_commands.remove)
        app.command()(schedule_commands.run)


class PluginCommands(LateCommands):
    """`findspot plugins ...`"""

    def register(self, app: typer.Typer) -> None:
        from findspot.cli import plugin_commands

        app.command()(plugin_commands.add)
        app.command()(plugin_commands.show)
