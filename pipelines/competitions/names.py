"""Names: of which of eighteen languages is a surname? Some names are of two, and some stand there many times."""

from __future__ import annotations

from dataclasses import replace

from optuna.distributions import FloatDistribution
from pandera.pandas import Check, Column, DataFrameSchema

from data.labelled import Labelled, lines
from data.metrics import ACCURACY, LOG_LOSS
from data.schema import Schema
from data.splits import Split
from data.targets import Classes
from features.averages import averages
from features.characters import Characters
from features.frequencies import WordFreq
from features.lexicons import MiniLMParts, WordLlama
from features.text import text
from features.vectors import GloVe
from models.mlp import MLPConfig
from models.rnn import Cell, RNNConfig
from pipelines.competition import Candidate, Competition
from submissions.layout import Labels

LANGUAGES = "Arabic Chinese Czech Dutch English French German Greek Irish Italian Japanese Korean Polish Portuguese "
LANGUAGES += "Russian Scottish Spanish Vietnamese"
CODES = "ar zh cs nl en fr de el it ja ko pl pt ru es vi he hu tr uk"  # theirs, and of some beside them
KNOWN = [GloVe(), WordLlama(), WordFreq(languages=tuple(CODES.split()))]
SPELLED = [MiniLMParts(units=384), Characters(units=1024, pieces=(1, 3))]
MLP = MLPConfig(width=256, depth=1, dropout=0.5, input_dropout=0.3, weight_decay=0.1, members=3, epochs=10, batch=128)
GRU = RNNConfig(cell=Cell.GRU, embedding=32, tuned=1.0, dropout=0.4, input_dropout=0.2, word_dropout=0.0, members=3)
SPACE = {"dropout": FloatDistribution(0.2, 0.6), "lr": FloatDistribution(1e-3, 1e-2, log=True)}

COMPETITION = Competition(
    slug="names",
    schema=Schema(
        id="Id",
        target=Classes("Language", tuple(LANGUAGES.split())),
        columns=DataFrameSchema({"Name": Column(str, Check.str_length(1, 40))}),
        train_rows=16_060,
        test_rows=4_014,
    ),
    labelled=Labelled(files=("*.txt",), read=lines("Name", "Language")),
    split=Split(group="Name"),
    metric=ACCURACY,
    recipe=averages("Name", vectors=[*KNOWN, *SPELLED]),
    candidates={
        "mlp": Candidate(config=replace(MLP, distinct=True, monitor=LOG_LOSS), space=SPACE),
        "gru": Candidate(
            config=replace(GRU, epochs=8, lr=4e-3, distinct=True, monitor=LOG_LOSS),
            recipe=text("Name", lower=False, characters=True, vectors=KNOWN),
            space=SPACE,
        ),
    },
    blend=("mlp", "gru"),
    layout=Labels(),
)
