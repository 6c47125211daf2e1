"""A small competition: 60 labelled rows, 20 to predict."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from pandera.pandas import Check, Column, DataFrameSchema

from data.codes import UNSEEN
from data.datasets import Fold, Rows, SequenceDataset, TabularDataset
from data.schema import Schema
from data.sources import RawFiles, Source
from data.splits import Split
from data.targets import Classes

SCHEMA = Schema(
    id="id",
    target=Classes("label", ("no", "yes")),
    columns=DataFrameSchema(
        {
            "height": Column(float, Check.in_range(0, 3), nullable=True),
            "count": Column(int, Check.ge(0)),
            "colour": Column(str, Check.isin(["red", "green", "blue"])),
            "remark": Column(str, nullable=True),
        }
    ),
    train_rows=60,
    test_rows=20,
)
SPLIT = Split(folds=3)


@dataclass
class Toy:
    """Lines of the three files, header first."""

    train: list[str]
    test: list[str]
    sample: list[str]
    encoding: str = "utf-8"
    extra: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> Toy:
        return replace(self, train=list(self.train), test=list(self.test), sample=list(self.sample))

    @property
    def files(self) -> dict[str, bytes]:
        named = {"train.csv": self.train, "test.csv": self.test, "sample_submission.csv": self.sample}
        text = {name: ("\n".join(lines) + "\n").encode(self.encoding) for name, lines in named.items()}
        return text | self.extra

    @property
    def raw(self) -> RawFiles:
        return RawFiles(source=Source.RAW, place="raw", files=self.files)


def _toy() -> Toy:
    generator = np.random.default_rng(0)
    rows = []
    for row in range(80):
        height, count = generator.uniform(1, 2), generator.integers(0, 9)
        colour = ["red", "green", "blue"][generator.integers(3)]
        label = "yes" if height + count / 9 + generator.normal() / 4 > 2 else "no"
        rows.append((f"{row},{height:.3f},{count},{colour},", label))
    return Toy(
        train=["id,height,count,colour,remark,label", *(cells + "," + label for cells, label in rows[:60])],
        test=["id,height,count,colour,remark", *(cells for cells, _ in rows[60:])],
        sample=["id,label", *(f"{row},no" for row in range(60, 80))],
    )


TOY = _toy()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """An archive with these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_bytes(files))
    return path


def zip_bytes(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive's bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def folds_of(
    rows: int = 120, columns: int = 6, classes: int = 2, folds: int = 3, noise: float = 1.0, seed: int = 0
) -> list[Fold]:
    """Folds of normal numbers whose class is the greatest of noisy linear scores."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, columns, generator=generator)
    scores = x @ torch.randn(columns, classes, generator=generator)
    target = (scores + noise * torch.randn(rows, classes, generator=generator)).argmax(dim=1)
    fold = torch.arange(rows) % folds

    def dataset(chosen: torch.Tensor) -> TabularDataset:
        return TabularDataset(input=x[chosen], target=target[chosen])

    return folded(dataset, fold)


def sequences(texts: Sequence[torch.Tensor], target: Sequence[int], vectors: torch.Tensor) -> SequenceDataset:
    """Texts of tokens, of which nothing is known by their context."""
    offsets = torch.tensor([0, *map(len, texts)]).cumsum(0)
    return SequenceDataset(
        input=torch.cat(list(texts)),
        offsets=offsets,
        target=torch.tensor(target),
        vectors=vectors,
        context=torch.zeros(int(offsets[-1]), 0, dtype=torch.int8),
        places=offsets[:-1],
    )


def text_folds(rows: int = 120, folds: int = 3, units: int = 0, seed: int = 0) -> list[Fold]:
    """Folds of texts of 1 to 9 of 16 words, good and bad ones; the class is whether the last of them is good.

    With units, half of the words have a vector beforehand.
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 10, (rows,), generator=generator)
    texts = [torch.randint(UNSEEN + 1, UNSEEN + 17, (int(length),), generator=generator) for length in lengths]
    vectors = torch.full((UNSEEN + 17, units), torch.nan)
    vectors[::2] = torch.randn(vectors[::2].shape, generator=generator)
    fold = torch.arange(rows) % folds

    def dataset(chosen: torch.Tensor) -> SequenceDataset:
        own = [text for text, mine in zip(texts, chosen, strict=True) if mine]
        return sequences(own, [int(text[-1] % 2) for text in own], vectors)

    return folded(dataset, fold)


def folded(dataset: Callable[[torch.Tensor], Rows], fold: torch.Tensor) -> list[Fold]:
    """Folds of rows, whose test rows are those of the first."""
    return [
        Fold(
            train=dataset(fold != number),
            valid=dataset(fold == number),
            test=dataset(fold == 0),
            valid_rows=torch.where(fold == number)[0],
        )
        for number in range(int(fold.max()) + 1)
    ]
