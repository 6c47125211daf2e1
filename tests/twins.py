"""The twin of each competition, as tables, drawn once of each size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from data import synthetic
from data.sources import RawFiles, Source
from data.tables import Tables, ingest
from pipelines.competition import find


def _twin(name: str) -> synthetic.Twin:
    return _drawn(name, synthetic.MOST_ROWS, synthetic.MOST_CELLS)


@cache
def _drawn(name: str, rows: int, cells: int) -> synthetic.Twin:
    """The twin of a competition, with the numbers of rows and cells that are its limits now."""
    competition = find(name)
    blank = partial(competition.layout.blank, schema=competition.schema)
    return synthetic.draw(competition.schema, competition.metric, blank, competition.split)


def twin_files(name: str) -> Mapping[str, bytes]:
    """The raw files of a twin; copy them before changing one."""
    return _twin(name).files


def twin_tables(name: str) -> Tables:
    """The tables of a twin."""
    return _tables_of(name, synthetic.MOST_ROWS, synthetic.MOST_CELLS)


@cache
def _tables_of(name: str, rows: int, cells: int) -> Tables:
    competition, twin = find(name), _drawn(name, rows, cells)
    raw = RawFiles(source=Source.TWIN, place="twin", files=twin.files, best=twin.best)
    return ingest(raw, competition.schema, competition.split)
