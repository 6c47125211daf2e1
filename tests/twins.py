"""The twin of each competition, as tables, drawn once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from data import synthetic
from data.sources import RawFiles, Source
from data.tables import Tables, ingest
from pipelines.competition import find


@cache
def _twin(name: str) -> synthetic.Twin:
    competition = find(name)
    blank = partial(competition.layout.blank, schema=competition.schema)
    return synthetic.draw(competition.schema, competition.metric, blank, competition.split)


def twin_files(name: str) -> Mapping[str, bytes]:
    """The raw files of a twin; copy them before changing one."""
    return _twin(name).files


@cache
def twin_tables(name: str) -> Tables:
    """The tables of a twin."""
    competition, twin = find(name), _twin(name)
    raw = RawFiles(source=Source.TWIN, place="twin", files=twin.files, best=twin.best)
    return ingest(raw, competition.schema, competition.split)
