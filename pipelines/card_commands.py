"""The command that shows a competition's card."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.options import HomeFolder, Name, job_of, print_path


def add(app: typer.Typer) -> None:
    """Adds the command to a command line."""
    app.command()(card)


def card(
    name: Name,
    every: Annotated[bool, typer.Option("--all", help="All columns, and not only those most worth a look.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The numbers as JSON, and nothing else.")] = False,
    home: HomeFolder = None,
) -> None:
    """Show what to know of the rows before they are modelled; the last line is the path of a figure."""
    from pipelines import card_kept, console, stages
    from pipelines.card_tables import tables
    from pipelines.card_words import findings

    job = job_of(name, home)
    ingested = stages.ingest(job)
    found, folder = card_kept.card_of(name, job.competition, ingested.tables, job.home.cache)
    if json:
        print(card_kept.text_of(found), end="")
        return
    made_up = ", made-up rows" * found.twin
    print(f"{name}: {found.train_rows:,} train rows, {found.test_rows:,} test rows{made_up}")
    for finding in findings(found):
        print(f"- {finding}")
    print()
    for title, table in tables(found, every):
        print(title)
        if table is None:
            print()
        else:
            console.show(table)
    print_path(folder / card_kept.FIGURE)
