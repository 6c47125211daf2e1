"""The twin of each competition, as tables, drawn once."""

from __future__ import annotations

from functools import cache, partial

from data import synthetic
from data.sources import RawFiles, Source
from data.tables import Tables, ingest
from pipelines.competition import find


@cache
def twin_tables(name: str) -> Tables:
    competition = find(name)
    blank = partial(competition.layout.blank, schema=competition.schema)
    twin = synthetic.draw(competition.schema, competition.metric, blank, competition.split.group)
    raw = RawFiles(source=Source.TWIN, place="twin", files=twin.files, best=twin.best)
    return ingest(raw, competition.schema, competition.split)
