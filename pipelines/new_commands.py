"""The command that drafts a competition's declaration from its files: new."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipelines.options import HomeFolder, home_of, print_path

Slug = Annotated[str, typer.Argument(help="Its name on Kaggle, as in kaggle.com/c/<name>, and of its archive.")]


def add(app: typer.Typer) -> None:
    """Adds the command to a command line."""
    app.command()(new)


def new(
    slug: Slug,
    target: Annotated[str | None, typer.Option(help="The column that is predicted.")] = None,
    id: Annotated[str | None, typer.Option(help="The column that names a row.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the guesses, and ask nothing.")] = False,
    over: Annotated[bool, typer.Option("--over", help="Write over a declaration of that name.")] = False,
    home: HomeFolder = None,
) -> None:
    """Look at a competition's CSV files, and write its declaration; the last line is its path.

    The files lie in data/raw/<name>/, or in a folder of archives. In a terminal it asks where it guesses.
    """
    from pipelines import console, drafted, environment
    from pipelines.undeclared import look

    name = drafted.name_of(slug, over)
    folder = home_of(home)
    files = look(folder, name, slug)
    environment.provide(["ruff"])  # before a person answers
    asked = drafted.Asked(target=target, id=id)
    if sys.stdin.isatty() and sys.stdout.isatty() and not yes:
        asked = drafted.ask(files, asked, typer.prompt)
    made = drafted.write(name, slug, files, asked, folder)
    console.show(made.table)
    for note in made.notes:
        print(f"look at this: {note}")
    print(f"next: make {name}")
    print_path(made.path)
