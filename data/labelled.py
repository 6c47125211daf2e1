"""Labelled: tables whose rows are all labelled, and which nobody has cut into a train and a test file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import pandas as pd

from data.errors import BadDataError, Fault
from data.reading import read_lines
from data.schema import Schema
from data.splits import Split, in_order

Read = Callable[[Mapping[str, bytes]], pd.DataFrame]


def lines(text: str, label: str) -> Read:
    """Reads files of a text a line, each of which is named after the class of its texts; blank lines are left out.

    Args:
        text: the column of the texts.
        label: the column of the classes.
    """

    def read(files: Mapping[str, bytes]) -> pd.DataFrame:
        rows = [
            (line, PurePath(name).stem) for name, content in sorted(files.items()) for line in read_lines(content, name)
        ]
        return pd.DataFrame(rows, columns=[text, label])

    return read


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Where the rows are, and how a share of them becomes a test file whose labels nobody sees.

    Args:
        read: makes a table of files' bytes by their names, with the columns of the schema; rows that have no id get
            their number. It may raise ValueError or KeyError where they are not what they should be.
        files: their names, * standing for anything; none where a package has the rows.
        package: that has them.
        share: of the rows, those of the test file.
        seed: of the draw.
    """

    read: Read
    files: tuple[str, ...] = ()
    package: str = ""
    share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if bool(self.files) == bool(self.package) or not 0 < self.share < 1:
            raise ValueError(
                f"takes files or a package, and a share, but got {self.files=} {self.package=} {self.share=}"
            )

    def cut(
        self,
        found: Mapping[str, bytes],
        place: str,
        schema: Schema,
        split: Split,
        blank: Callable[[list[str]], pd.DataFrame],
    ) -> dict[str, bytes]:
        """Train, test and sample files.

        Args:
            found: the files.
            place: where they lie.
            schema: names the columns.
            split: names the column whose equal values stay on one side, or in whose order the last rows are cut off.
            blank: makes the sample submission of a list of ids.

        Raises:
            BadDataError: the table cannot be read, or its rows have no order to be cut by.
        """
        try:
            table = self.read(found)
            if schema.id not in table:
                table = table.assign(**{schema.id: np.arange(1, len(table) + 1)})
            table = table[[schema.id, *schema.names, *schema.target.columns]].astype({schema.id: str})
        except (ValueError, KeyError) as error:
            what = f"cannot be read as a table ({' '.join(str(error).split())})"
            raise BadDataError([Fault(file=place, what=what, mend="take the file as it was published")]) from error
        try:
            test = self.held_back(table, split)
        except ValueError as error:
            mend = "mend the rows, or the declaration's split"
            raise BadDataError([Fault(file=place, column=str(split.time), what=str(error), mend=mend)]) from error
        hidden = table[test].drop(columns=list(schema.target.columns))
        tables = {schema.train: table[~test], schema.test: hidden}
        files = {name: each.to_csv(index=False, sep=schema.separator).encode() for name, each in tables.items()}
        return files | {schema.sample[0]: blank(hidden[schema.id].tolist()).to_csv(index=False).encode()}

    def held_back(self, table: pd.DataFrame, split: Split) -> np.ndarray:
        """Which rows become those of the test file, bool [rows].

        Raises:
            ValueError: the split is in time, and the rows have no order.
        """
        return self._drawn(table, split.group) if split.time is None else self._late(table[split.time])

    def _drawn(self, table: pd.DataFrame, group: str | None) -> np.ndarray:
        """Which rows are the test file's, bool [rows]: drawn, and kin together."""
        kin = np.arange(len(table)) if group is None else np.unique(table[group].astype(str), return_inverse=True)[1]
        order = np.random.default_rng(self.seed).permutation(kin.max() + 1)
        sizes = np.bincount(kin)[order].cumsum()
        return np.isin(kin, order[sizes <= self.share * len(table)])

    def _late(self, when: pd.Series) -> np.ndarray:
        """The same of the last rows; rows of one time stay together."""
        numbers = pd.to_numeric(when, errors="coerce")
        times = in_order(when if numbers.isna().any() else numbers).to_numpy()
        late = np.sort(times)[int((1 - self.share) * len(times))]
        return times > late if (times >= late).all() else times >= late
