"""Kept cards: a card is made once of the same rows, declaration and code, and then read."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from data.files import beside, remove
from data.tables import MANIFEST, Tables
from pipelines import keys
from pipelines.card import Card, make, read
from pipelines.competition import Competition

NUMBERS, FIGURE = "card.json", "card.png"


def card_of(name: str, competition: Competition, tables: Tables, cache: Path) -> tuple[Card, Path]:
    """The card of a competition, and the folder with its numbers and its figure.

    Args:
        name: the competition's.
        competition: the declaration.
        tables: what it reads.
        cache: of what can be made again.
    """
    folder = cache / f"{name}-card-{keys.card_key(name, tables.data_hash)[:16]}"
    found = _load(folder)
    if found is None:
        found = make(name, competition, tables)
        remove(folder)  # damaged, if it is there
        _save(found, folder)
    return found, folder


def copy(name: str, competition: Competition, tables: Tables, cache: Path, to: Path) -> None:
    """Puts the numbers and the figure of a card into a folder."""
    _, folder = card_of(name, competition, tables, cache)
    for file in (NUMBERS, FIGURE):
        shutil.copyfile(folder / file, to / file)


def text_of(card: Card) -> str:
    """The numbers of a card as JSON."""
    return json.dumps(card.plain(), indent=2, ensure_ascii=False) + "\n"


def _save(card: Card, folder: Path) -> None:
    """Writes a card; the folder appears whole or not at all."""
    from pipelines import card_figure  # which a card that is kept does without

    with beside(folder) as part:
        part.mkdir(parents=True)
        (part / NUMBERS).write_text(text_of(card), encoding="utf-8")
        card_figure.write(card, part / FIGURE)
        hashes = {file: _sha256(part / file) for file in (NUMBERS, FIGURE)}
        (part / MANIFEST).write_text(json.dumps({"sha256": hashes}, indent=2) + "\n")


def _load(folder: Path) -> Card | None:
    """What `_save` wrote; None where it is not there, or not as it was written."""
    try:
        told = json.loads((folder / MANIFEST).read_text())["sha256"]
        if any(_sha256(folder / file) != told[file] for file in (NUMBERS, FIGURE)):
            return None
        return read(json.loads((folder / NUMBERS).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
