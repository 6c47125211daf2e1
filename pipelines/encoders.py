"""Encoders: fitted ones in a file, of types that are ours or scikit-learn's; reading it runs no code of others."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from skops import io as skops

from data.errors import PodiumError, StorageError
from features.recipe import Encoder, encode_later

OWN_CODE = ("features.", "pipelines.competitions.")  # whose types encoders may be of, beside scikit-learn's
PLAIN_TYPES = ("numpy.dtype",)
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, TypeError, ValueError, LookupError, AttributeError, ImportError),
    RuntimeError,  # torch's, of tensors of another shape
)
DEEPEST = 8  # attributes within attributes that are looked into for what a file cannot hold


class UnkeptError(PodiumError):
    """A pipeline holds what no file can, as a function without a name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoders:
    """Those of a training, released for rows that come later."""

    folds: Sequence[Encoder]
    whole: Encoder | None  # of all rows

    def write(self, path: Path, rows: pd.DataFrame) -> None:
        """Writes them, and looks whether what is read makes the same of some rows.

        Raises:
            UnkeptError: it is of types that are neither ours nor scikit-learn's, cannot be written, or was changed.
        """
        try:
            kept = {"folds": list(self.folds), "whole": self.whole}
            skops.dump(kept, path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
            found = Encoders.read(path)
            alike = all(_alike(one, other, rows) for one, other in zip(self.all, found.all, strict=True))
        except Exception as error:  # encoders are anybody's code, and say in their own way that they cannot be written
            told = str(error).removeprefix(f"{path}: ") or type(error).__name__
            raise UnkeptError(f"{_culprit(self)} cannot be kept ({told})") from error
        if not alike:
            told = "read again, it makes other numbers of the same rows: does it use chance, or hold two keys alike?"
            raise UnkeptError(f"an encoder cannot be kept ({told})")

    @property
    def all(self) -> list[Encoder]:
        """Of the folds, and the one of all rows where there is one."""
        return [*self.folds, *([] if self.whole is None else [self.whole])]

    @staticmethod
    def read(path: Path) -> Encoders:
        """Reads what `write` wrote.

        Raises:
            StorageError: the file is damaged, or holds types that are not ours.
        """
        try:
            types = skops.get_untrusted_types(file=path)
            if strange := _strange(types):
                raise StorageError(f"{path}: holds {', '.join(strange)}, which encoders are not made of")
            return Encoders(**skops.load(path, trusted=types))
        except (OSError, *DAMAGED) as error:
            raise StorageError(f"{path}: cannot be read ({error})") from error


def _alike(one: Encoder, other: Encoder, rows: pd.DataFrame) -> bool:
    """Whether two encoders make the same of rows."""
    found = [next(encode_later(each, rows).batches(len(rows))) for each in (one, other)]
    return all(torch.equal(*pair) for pair in zip(*found, strict=True))


def _strange(types: Sequence[str]) -> list[str]:
    return [each for each in types if not each.startswith(OWN_CODE) and each not in PLAIN_TYPES]


def _culprit(encoders: Encoders) -> str:
    """The innermost part of an encoder that no file holds, as `Titles.table_ (Series)`."""
    found = "an encoder"
    part: Any = encoders.all[0]
    for _ in range(DEEPEST):
        inner = next(((name, each) for name, each in _parts(part) if not _is_kept(each)), None)
        if inner is None:
            break
        found, part = f"{type(part).__name__}.{inner[0]} ({type(inner[1]).__name__})", inner[1]
    return found


def _parts(whole: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(whole, Mapping):
        yield from ((str(name), each) for name, each in whole.items())
    elif isinstance(whole, list | tuple):
        yield from ((str(number), each) for number, each in enumerate(whole))
    elif type(whole).__module__.startswith((*OWN_CODE, "sklearn.")):
        yield from vars(whole).items()


def _is_kept(part: Any) -> bool:
    try:
        content = skops.dumps(part)
        types = skops.get_untrusted_types(data=content)
        skops.loads(content, trusted=types)
    except Exception:  # noqa: BLE001  # see `Encoders.write`
        return False
    return not _strange(types)
