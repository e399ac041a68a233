"""A group of commands that imports only the one that is called."""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from clipgrip.cli.helptext import TranslatedContext
from clipgrip.cli.shared import leading
from clipgrip.cli.spoken import wants_json, words_of
from clipgrip.cli.tree import FORMER, PANELS, Branch, Leaf, Panel
from clipgrip.errors import ConfigError, nearest
from clipgrip.words import Sentence, mark

COMMANDS = mark("Commands")
HELP_NAMES = ("-h", "--help")
UsageError: Any = typer.BadParameter.__base__  # typer has no public name for it
CONTEXT = {"help_option_names": list(HELP_NAMES)}
ADVICE = mark("note: {old} is now {new}; the old name works until 0.3.")


class Command(TyperCommand):
    """A command that knows the old names of its options, and perhaps an old name of its own."""

    context_class = TranslatedContext
    entry: Leaf
    old_name, new_name = "", ""

    def make_context(self, info_name: str | None, *words: Any, **more: Any) -> Any:
        """Help and errors name the command as it is called now."""
        return super().make_context(self.new_name or info_name, *words, **more)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put new names for old ones; say so once for each."""
        if self.new_name and not ctx.resilient_parsing:
            advise(f"clipgrip {self.old_name}", f"clipgrip {self.new_name}")
        flags = {
            one for param in self.params if getattr(param, "is_flag", False) for one in param.opts
        }
        args, found = renewed(args, self.entry.former, flags)
        for old, new in dict(found).items():
            if not ctx.resilient_parsing:
                advise(old, new)
        _check_names(self.params, args)
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            error.ctx = error.ctx or ctx  # typer forgets it where a value is missing
            raise


def _check_names(params: Sequence[Any], words: Sequence[str]) -> None:
    """ConfigError where a file or folder is named by an empty word, which would mean the working folder."""
    options = {one: p for p in params for one in (*p.opts, *p.secondary_opts)}
    for before, word in zip(("", *words), words, strict=False):
        name, equals, value = word.partition("=")
        option = name if equals and not value else before if not word else ""
        is_path = getattr(getattr(options.get(option), "type_descriptor", None), "is_path", False)
        if is_path or (not word and not before.startswith("-")):
            what = option if is_path else Sentence("an argument")
            raise ConfigError(
                "{what} is empty. Give the name of a file or folder, or leave it out.", what=what
            )


class Tree(TyperGroup):
    """Commands in panels, each made when it is called."""

    context_class = TranslatedContext
    panels: tuple[Panel, ...] = ()
    group: Branch | None = None

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of use."""
        return list(self._entries())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, new or old; None where there is none."""
        entry = self._entries().get(cmd_name)
        if entry is not None:
            return made(entry)
        if self.group is None and cmd_name in FORMER:
            group, name = FORMER[cmd_name]
            inner = made(next(e for e in _inner(group) if e.name == name))
            inner.hidden, inner.old_name, inner.new_name = True, cmd_name, f"{group} {name}"
            return inner
        return None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The group's name alone, where it means one of its commands."""
        group = self.group
        if group is not None and (n := leading(args)):
            # a command knows the shared options; a group that means none shows its help
            means_none = not args[n:] and (group.once or not group.alone)
            args = [] if means_none else [*args[n : n + 1], *args[:n], *args[n + 1 :]]
        if group is not None and args and args[0] in HELP_NAMES:
            args = args[:1]
        if group is not None and not ctx.resilient_parsing and self._means_one(group, args):
            if group.once:
                advise(ctx.command_path, f"{ctx.command_path} {group.alone}")
            args = [group.alone, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called. ConfigError: there is none of that name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            group = ctx.command_path.partition(" ")[2]  # every error begins with the program
            raise ConfigError(
                '{group}no command "{name}". Known: {known}.{nearest}',
                group=f"{group}: " if group else "",
                name=name,
                known=", ".join(known),
                nearest=nearest(name, [*known, *FORMER]),
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The panels with a line for each command."""
        say, width = words_of(sys.argv[1:]), max(map(len, self._entries()))
        for panel in self.panels:
            with formatter.section(say(panel.title)):
                formatter.write_dl(
                    [(f"{one.name:<{width}}", say(one.summary)) for one in panel.entries]
                )

    def _means_one(self, group: Branch, args: list[str]) -> bool:
        """Whether the group is called as the one command that its name was, or means alone."""
        if not group.alone or not args:
            return bool(group.alone) and not group.once
        first = args[0]
        if first in (*self._entries(), *HELP_NAMES):
            return False
        is_typo = nearest(first, self._entries()) and not Path(first).exists()
        return first.startswith("-") or not is_typo

    def _entries(self) -> dict[str, Leaf | Branch]:
        return {entry.name: entry for panel in self.panels for entry in panel.entries}


def _inner(name: str) -> tuple[Leaf, ...]:
    return next(
        entry.entries
        for panel in PANELS
        for entry in panel.entries
        if isinstance(entry, Branch) and entry.name == name
    )


def made(entry: Leaf | Branch) -> Any:
    """The command, or the group of commands."""
    if isinstance(entry, Branch):
        tree = tree_of((Panel(COMMANDS, entry.entries),), help=entry.summary, name=entry.name)
        tree.group = entry
        return tree
    from clipgrip.cli.options import command_of  # reads all settings, so only for a command

    module, _, name = (entry.at or f"{entry.name}:{entry.name}").partition(":")
    function = getattr(import_module(f"clipgrip.cli.{module}"), name)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(entry.name, cls=Command, short_help=entry.summary, context_settings=CONTEXT)(
        command_of(function)
    )
    command: Any = typer.main.get_command(app)
    command.entry = entry
    return command


def tree_of(panels: tuple[Panel, ...], callback: Any = None, **more: Any) -> Any:
    """A group of the commands in the panels."""
    app = typer.Typer(
        cls=Tree,
        add_completion=callback is not None,
        rich_markup_mode=None,
        context_settings=CONTEXT,
        **more,
    )
    app.callback(invoke_without_command=True)(callback or show_help)
    tree: Any = typer.main.get_command(app)
    tree.panels = panels
    return tree


def show_help(context: typer.Context) -> None:
    """Help where no command is named; ConfigError for a program, which asked for one document."""
    if context.invoked_subcommand is None:
        if wants_json(sys.argv[1:]):
            known = ", ".join(context.command.list_commands(context))  # type: ignore[attr-defined]
            raise ConfigError("no command was named. Known: {known}.", known=known)
        typer.echo(context.get_help())
        raise typer.Exit(2)


def advise(old: str, new: str) -> None:
    """One line on standard error."""
    say = words_of(sys.argv[1:])
    print(f"clipgrip: {say(ADVICE, old=old, new=new)}", file=sys.stderr)


def renewed(
    words: Sequence[str], names: Mapping[str, str], flags: Container[str] = ()
) -> tuple[list[str], list[tuple[str, str]]]:
    """The words of a command with new names for old options, and which they were.

    An old plural took several values with commas; the new name is given once for each. ``flags`` take none.
    """
    new: list[str] = []
    found: list[tuple[str, str]] = []
    rest = iter(words)
    for word in rest:
        old, equals, value = word.partition("=")
        if word == "--":
            return [*new, word, *rest], found
        if old not in names:
            new.append(word)
            continue
        found.append((old, names[old]))
        if names[old] in flags:
            new.append(names[old])
            continue
        value = value if equals else next(rest, "")
        parts = [part.strip() for part in value.split(",")] if old.endswith("s") else [value]
        for part in parts:
            new += [names[old], part]
    return new, found
