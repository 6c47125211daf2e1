"""Drafting: the file that declares what was guessed of a competition."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import util
from pathlib import PurePath
from textwrap import wrap

from optuna.distributions import BaseDistribution

from data.errors import UnavailableError
from data.schema import SAMPLE_NAMES
from models.config import Config
from pipelines.adopting import declaration
from pipelines.facts import Facts, Use
from pipelines.guess import Guess, Kind, missing_texts
from pipelines.guessing import LABEL, TEXT
from pipelines.planning import Plan, dates_of, space_of, table_config, text_config
from pipelines.wording import listed, shortened

SEVERAL = 4  # columns that are declared alike, from which they are declared together
WIDTH = 120  # of a line
LONGEST = 40  # characters of columns in the first line
MOST_CHARACTERS = 30  # of a column's longest text, up to which the draft says that none is longer
TARGETS = {Kind.REGRESSION: "Number", Kind.MULTILABEL: "Flags", Kind.SHARES: "Shares"}
MODULES = {  # where the names of a declaration come from
    "io": "",
    "pd": "pandas as",
    "Mapping": "collections.abc",
    "FloatDistribution": "optuna.distributions",
    "IntDistribution": "optuna.distributions",
    "Check": "pandera.pandas",
    "Column": "pandera.pandas",
    "DataFrameSchema": "pandera.pandas",
    **dict.fromkeys(("Labelled", "lines"), "data.labelled"),
    **dict.fromkeys(("ACCURACY", "DIVERGENCE", "LOG_LOSS", "RMSE", "RMSLE", "ROC_AUC"), "data.metrics"),
    "Schema": "data.schema",
    "Split": "data.splits",
    **dict.fromkeys(("Classes", "Flags", "Number", "Shares"), "data.targets"),
    "MiniLM": "features.context",
    "Dates": "features.dates",
    "WordFreq": "features.frequencies",
    "WordLlama": "features.lexicons",
    "Shared": "features.shared",
    "tabular": "features.tabular",
    "text": "features.text",
    "GloVe": "features.vectors",
    **dict.fromkeys(("Loss", "Precision", "Schedule"), "models.config"),
    "MLPConfig": "models.mlp",
    **dict.fromkeys(("Cell", "RNNConfig"), "models.rnn"),
    **dict.fromkeys(("Candidate", "Competition"), "pipelines.competition"),
    **dict.fromkeys(("Labels", "Probabilities", "Probability", "Values"), "submissions.layout"),
}
STANDARD = ("io", "collections.abc")
OTHERS = ("pandas as", "optuna.distributions", "pandera.pandas")


def draft(slug: str, found: Guess, planned: Plan) -> str:
    """The source of the declaration."""
    body = "\n\n".join(filter(None, [_reading(found), _constants(found, planned), _competition(slug, found, planned)]))
    title, targets = slug.replace("-", " ").capitalize(), shortened(listed(found.targets), LONGEST)
    place = PurePath(found.files.place).name
    told = f"{title}: {found.kind.value} of {targets}.\n\nDrafted from {place}: check what is marked `guessed`.\n"
    head = '"""' + told.replace("\\", "\\\\").replace('"', "'") + '"""'
    return formatted(f"{head}\n\nfrom __future__ import annotations\n\n{_imports(body)}\n\n{body}\n")


def formatted(source: str) -> str:
    """A source as this house writes it.

    Raises:
        UnavailableError: ruff is not installed.
    """
    command = [sys.executable, "-m", "ruff", "format", "--line-length", str(WIDTH), "-"]
    if util.find_spec("ruff") is None:
        raise UnavailableError("no ruff, which writes the draft: make lint installs it")
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def _imports(body: str) -> str:
    said = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    used = {name: module for name, module in MODULES.items() if name in said}
    blocks: list[list[str]] = [[], [], []]
    for module in sorted({*used.values()}, key=lambda each: each or "io"):
        names = sorted(name for name in used if used[name] == module)
        place = 0 if module in ("", *STANDARD) else 1 if module in OTHERS else 2
        if module == "":
            line = "import io"
        elif module.endswith(" as"):
            line = f"import {module} {names[0]}"
        else:
            line = f"from {module} import {', '.join(names)}"
        blocks[place].append(line)
    ordered = [sorted(block, key=lambda line: (line.startswith("from"), line)) for block in blocks if block]
    return "\n\n".join("\n".join(block) for block in ordered)


def _reading(found: Guess) -> str:
    """How one labelled table becomes rows."""
    if found.test is not None or found.files.lines:
        return ""
    files = found.files
    separator = "" if files.separator == "," else f", sep={files.separator!r}"
    return f'''
def read(files: Mapping[str, bytes]) -> pd.DataFrame:
    """The rows of the one labelled table, every cell as text."""
    return pd.read_csv(io.BytesIO(files[{files.train!r}]){separator}, dtype=str, keep_default_na=False)'''


def _constants(found: Guess, planned: Plan) -> str:
    """What stands above the declaration: lists of columns, what is derived of them, the networks."""
    lines = ["# guessed: what each column is good for"] if planned.blocks else []
    lines += [f"{name.upper()} = {_names(columns)}" for name, columns in planned.blocks.items()]
    if planned.dates:
        dates = dates_of(found, planned)
        lines.append(f"DATES = Dates({list(planned.dates)}{', day_first=True' * dates.day_first})")
    if planned.shared or planned.first_words:
        beside = ", ".join(f"{name}={name.upper()}" for name in planned.blocks if name != Use.EMBEDDED)
        words = f", {list(planned.first_words)}" if planned.first_words else ""
        lines.append("# guessed: rows that share a value of these, or a first word, fare alike")
        lines.append(f"SHARED = Shared({list(planned.shared)}{words}, beside=tabular({beside}))")
    if planned.has_table:
        lines.append(f"MLP = {declaration(table_config(found))}")
    if planned.text:
        lines.append(f"GRU = {declaration(text_config(found, planned))}")
    return "\n".join(lines)


def _competition(slug: str, found: Guess, planned: Plan) -> str:
    recipe = _text_recipe(found, planned) if not planned.has_table else _table_recipe(planned)
    candidates = []
    if planned.has_table:
        candidates.append(_candidate("mlp", table_config(found)))
    if planned.text:
        own = _text_recipe(found, planned) if planned.has_table else None
        candidates.append(_candidate("gru", text_config(found, planned), own))
    metric, why = _metric(found)
    out = planned.unread(found)
    notes = [*found.notes, *([f"left out: {', '.join(out)}"] if out else [])]
    lines = [
        *(line for note in notes for line in _comment(note)),
        "COMPETITION = Competition(",
        f"slug={slug!r},",
        f"schema={_schema(found)},",
        _labelled(found),
        f"split={_split(found)},{_why_split(found)}",
        f"metric={metric},  # guessed{why}",
        f"recipe={recipe},",
        f"candidates={{{' '.join(candidates)}}},",
        "blend=('mlp', 'gru')," if len(candidates) > 1 else "",
        f"layout={_layout(found)},",
        "verbatim=True,  # guessed: test rows that repeat train rows take their labels" if found.verbatim else "",
        ")",
    ]
    return "\n".join(filter(None, lines))


def _comment(note: str) -> list[str]:
    """Lines of a comment."""
    return wrap(note, WIDTH, initial_indent="# guessed: ", subsequent_indent="#     ", break_long_words=False)


def _schema(found: Guess) -> str:
    files, one = found.files, found.test is None
    rows = len(found.train)
    tests = round(0.2 * rows) if found.test is None else len(found.test)
    lines = [
        f"id={found.id!r},",
        f"target={_target(found)},",
        f"columns=DataFrameSchema({{{_columns(found.facts)}}}),",
        f"train_rows={rows - tests if one else rows:_},",
        f"test_rows={tests:_},",
    ]
    if not one:
        lines += [f"train={files.train!r},"] if files.train != "train.csv" else []
        lines += [f"test={files.test!r},"] if files.test != "test.csv" else []
        lines += [f"sample=({files.sample!r},),"] if files.sample not in SAMPLE_NAMES else []
        lines += [f"separator={files.separator!r},"] if files.separator != "," else []
    lines += ["numbered_apart=True,"] if found.apart else []
    lines += [f"counted_from={found.counted_from},"] if found.counted_from is not None else []
    lines += [f"ignored={_tuple(found.ignored)},"] if found.ignored else []
    lines += [f"missing={_tuple(missing_texts(found))},"] if missing_texts(found) else []
    return "Schema(" + "\n".join(lines) + ")"


def _target(found: Guess) -> str:
    if found.kind in TARGETS:
        several = _tuple(found.targets) if found.kind is not Kind.REGRESSION else repr(found.targets[0])
        least = ", Check.ge(0)" if found.kind is Kind.REGRESSION and found.least == 0 else ""
        return f"{TARGETS[found.kind]}({several}{least})"
    return f"Classes({found.targets[0]!r}, {_tuple(found.classes)})"


def _columns(facts: Sequence[Facts]) -> str:
    """The columns' declarations; those that are declared alike, together."""
    alike: dict[str, list[str]] = {}
    for each in facts:
        alike.setdefault(_column(each), []).append(each.name)
    lines = []
    for declared, names in alike.items():
        if len(names) >= SEVERAL:
            lines.append(f"**dict.fromkeys({_names(names)}, {declared}),")
        else:
            lines += [f"{name!r}: {declared}," for name in names]
    return "\n".join(lines)


def _column(facts: Facts) -> str:
    check = ""
    if facts.use is Use.CATEGORY:
        values = sorted(map(int, facts.values)) if facts.kind is int else list(facts.values)
        check = f", Check.isin({values})"
    elif facts.kind is not str and facts.least >= 0:
        check = ", Check.ge(0)"
    elif facts.kind is str and 0 < facts.longest <= MOST_CHARACTERS and not facts.date:
        check = f", Check.str_length(1, {facts.longest})" if not facts.nullable else ""
    return f"Column({facts.kind.__name__}{check}{', nullable=True' * facts.nullable})"


def _names(names: Sequence[str]) -> str:
    """A list of names; numbered ones are counted."""
    found = [re.fullmatch(r"(.*?)(0|[1-9]\d*)", name) for name in names]
    if len(names) >= SEVERAL and all(found):
        prefixes = {each[1] for each in found if each}
        numbers = [int(each[2]) for each in found if each]
        if len(prefixes) == 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            prefix = prefixes.pop().replace("{", "{{").replace("}", "}}")
            return f"[f{prefix + '{number}'!r} for number in range({numbers[0]}, {numbers[-1] + 1})]"
    return str(list(names))


def _tuple(items: Sequence[object]) -> str:
    return repr(tuple(items))


def _labelled(found: Guess) -> str:
    if found.test is not None:
        return ""
    if found.files.lines:
        return f"labelled=Labelled(files={_tuple(list(found.files.lines))}, read=lines({TEXT!r}, {LABEL!r})),"
    return f"labelled=Labelled(files={_tuple([found.files.train])}, read=read),"


def _split(found: Guess) -> str:
    if found.group:
        return f"Split(folds={found.folds}, group={found.group!r})"
    return f"Split(folds={found.folds}{f', time={found.time!r}' if found.time else ''})"


def _why_split(found: Guess) -> str:
    if found.group:
        return f"  # guessed: rows of one {shortened(found.group, LONGEST)} are kin"
    return "  # guessed: the test file is later than the train file" if found.time else ""


def _metric(found: Guess) -> tuple[str, str]:
    if found.kind is Kind.REGRESSION:
        return ("RMSLE", ": of numbers with a long tail") if found.tail else ("RMSE", "")
    if found.kind is Kind.MULTILABEL:
        return "ROC_AUC", ": the mean of the columns"
    if found.kind is Kind.SHARES:
        return "DIVERGENCE", ""
    if not found.is_probability:
        return "ACCURACY", ": the sample holds classes" if found.test is not None else ""
    return (
        ("LOG_LOSS", ": a column a class") if found.a_column_each else ("ROC_AUC", ": the sample holds probabilities")
    )


def _layout(found: Guess) -> str:
    column = f"column={found.answer!r}" if found.answer else ""
    if found.kind is Kind.REGRESSION:
        return f"Values({', '.join(filter(None, ['least=0' if found.least == 0 else '', column]))})"
    if found.kind in (Kind.MULTILABEL, Kind.SHARES):
        return "Probabilities()"
    if not found.is_probability:
        return f"Labels({column})"
    if found.a_column_each:
        return f"Probabilities({f'prefix={found.prefix!r}' if found.prefix else ''})"
    return f"Probability({column})"


def _table_recipe(planned: Plan) -> str:
    added = [
        f"*{name}.names()"
        for name, there in (("DATES", planned.dates), ("SHARED", planned.shared or planned.first_words))
        if there
    ]
    blocks = {name: name.upper() for name in planned.blocks}
    if added:
        blocks["numbers"] = f"[{', '.join([*(['*NUMBERS'] if 'numbers' in blocks else []), *added])}]"
    derive = [name.partition(".")[0].removeprefix("*") for name in added]
    written = [f"{name}={value}" for name, value in blocks.items()] + (
        [f"derive=[{', '.join(derive)}]"] if derive else []
    )
    return f"tabular({', '.join(written)})"


def _text_recipe(found: Guess, planned: Plan) -> str:
    if planned.characters:
        return f"text({planned.text!r}, lower=False, characters=True, vectors=[GloVe(), WordLlama(), WordFreq()])"
    within = f", within={found.group!r}" if found.group and found.group != planned.text else ""
    return f"text({planned.text!r}, vectors=[GloVe(), WordLlama()], context=MiniLM(){within})"


def _candidate(name: str, config: Config, recipe: str | None = None) -> str:
    space = ", ".join(f"{field!r}: {_distribution(each)}" for field, each in space_of(config).items())
    own = f"recipe={recipe}, " if recipe else ""
    return f"{name!r}: Candidate(config={name.upper()}, {own}space={{{space},}}),"


def _distribution(each: BaseDistribution) -> str:
    low, high, log = (getattr(each, name) for name in ("low", "high", "log"))
    return f"{type(each).__name__}({low}, {high}{', log=True' * log})"
