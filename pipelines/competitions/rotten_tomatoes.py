"""Rotten Tomatoes: how good or bad does a phrase of a review sound? Phrases are sentences, and ever smaller parts."""

from __future__ import annotations

from dataclasses import replace

from optuna.distributions import FloatDistribution
from pandera.pandas import Column, DataFrameSchema

from data.metrics import ACCURACY
from data.schema import Schema
from data.splits import Split
from data.targets import Classes
from features.context import MiniLM
from features.lexicons import Afinn, TextBlob, Vader, WordLlama
from features.pieces import pieces
from features.text import text
from features.vectors import GloVe
from models.attention import TransformerConfig
from models.config import Precision, Schedule
from models.rnn import Cell, RNNConfig
from pipelines.competition import Candidate, Competition
from submissions.board import Board
from submissions.layout import Labels

LSTM = RNNConfig(
    cell=Cell.LSTM,
    members=1,
    refit=1,
    epochs=3,
    patience=3,
    batch=128,
    lr=2e-3,
    schedule=Schedule.TRAPEZOID,
    warmup=0.02,
    precision=Precision.FAST,
)

GRU = replace(LSTM, cell=Cell.GRU)

BAG = replace(LSTM, layers=0, embedding=50, word_dropout=0.1)  # of words and pairs of words, learned from nothing

TUNED = TransformerConfig(  # the upper layers of MiniLM
    members=1,
    refit=0,
    epochs=2,
    patience=2,
    batch=64,
    lr=1e-3,
    weight_decay=0.01,
    warmup=0.06,
    precision=Precision.FAST,
)

SPACE = {
    "dropout": FloatDistribution(0.0, 0.6),
    "input_dropout": FloatDistribution(0.0, 0.4),
    "word_dropout": FloatDistribution(0.0, 0.2),
    "tuned": FloatDistribution(0.0, 1.0),
    "label_smoothing": FloatDistribution(0.0, 0.1),
    "lr": FloatDistribution(5e-4, 8e-3, log=True),
}

COMPETITION = Competition(
    slug="sentiment-analysis-on-movie-reviews",
    schema=Schema(
        id="PhraseId",
        target=Classes(
            "Sentiment", (0, 1, 2, 3, 4)
        ),  # negative, somewhat negative, neutral, somewhat positive, positive
        columns=DataFrameSchema({"SentenceId": Column(int), "Phrase": Column(str)}),
        train_rows=156_060,
        test_rows=66_292,
        train="train.tsv",
        test="test.tsv",
        separator="\t",
    ),
    split=Split(folds=5, group="SentenceId"),
    metric=ACCURACY,
    recipe=text(
        "Phrase",
        vectors=[GloVe(), Vader(), Afinn(), TextBlob(), WordLlama()],
        context=MiniLM(),
        within="SentenceId",
    ),
    candidates={
        "lstm": Candidate(config=LSTM, space=SPACE),
        "gru": Candidate(config=GRU, space=SPACE),
        "bag": Candidate(config=BAG, recipe=text("Phrase", ngrams=2, least=2)),
        "minilm": Candidate(config=TUNED, recipe=pieces("Phrase", layer=2)),
    },
    blend=("lstm", "gru", "bag"),
    full=("lstm", "gru", "bag", "minilm"),
    board=Board(  # of 2018, without the first of its teams, whose labels were looked up
        teams=409, marks={2: 0.71468, 3: 0.70172, 4: 0.69970, 20: 0.690, 41: 0.683, 205: 0.641}
    ),
    layout=Labels(),
    verbatim=True,
)
