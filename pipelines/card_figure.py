"""Figure of a card: target, missing cells, train against test, and what tells the target, at a glance."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.card import Card
from pipelines.card_drift import ALIKE
from pipelines.card_shapes import Shape
from pipelines.card_suspects import SUSPECT
from pipelines.report import BLUE, GREY, MOST_NAMED_CLASSES, ORANGE, quiet, write_png
from pipelines.wording import counted, shortened

SIZE = (13.0, 7.4)  # inches
MOST_BARS = 10
LONGEST = 20  # letters of a name
TALL = 0.4  # of a bar; two stand side by side


def write(card: Card, path: Path) -> None:
    """Draws a card as a PNG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name's letters that no font here has are boxes
        write_png(figure(card), path)


def figure(card: Card) -> Figure:
    """Six panels: target, missing cells, drift; what tells the target, and the bars of two columns."""
    drawn = Figure(figsize=SIZE, layout="constrained")
    second = "second" if len(card.shapes) > 1 else "first"
    rows = [["target", "missing", "drift"], ["tells", "first", second]]
    axes = drawn.subplot_mosaic(rows)  # type: ignore[arg-type]
    drawn.suptitle(_title(card), parse_math=False)
    _draw_target(axes["target"], card)
    _draw_missing(axes["missing"], card)
    _draw_drift(axes["drift"], card)
    _draw_tells(axes["tells"], card)
    for name, shape in zip(("first", "second"), card.shapes, strict=False):
        _draw_shape(axes[name], shape)
    quiet(np.array(list(axes.values())))
    for ax in axes.values():
        ax.set_axisbelow(True)
    if not card.shapes:
        axes["first"].set_axis_off()
    return drawn


def _title(card: Card) -> str:
    exact, near = card.duplicates.exact, card.duplicates.near
    rows = f"{card.train_rows:,} train rows, {card.test_rows:,} test rows"
    repeats = f"test rows that repeat a train row: {exact.across:,}, and nearly: {near.across:,}"
    columns = counted(len(card.columns), "column")
    return f"{card.name}: {rows}, {columns}{', made-up rows' * card.twin}\n{repeats}"


def _draw_target(ax: Axes, card: Card) -> None:
    spread = card.spread
    kind = {"Classes": "share of the rows", "Flags": "share of rows that have it", "Shares": "mean share"}
    _named(ax, f"{shortened(spread.name, LONGEST)}: {kind.get(card.target, 'share of the rows')}")
    if not spread.labels:
        ax.stairs(spread.train, spread.edges, fill=True, color=BLUE)
    elif len(spread.labels) > MOST_NAMED_CLASSES:
        ax.fill_between(range(len(spread.labels)), sorted(spread.train, reverse=True), color=BLUE, step="mid")
        ax.set_xlabel(f"{len(spread.labels)} classes, the most frequent first")
    else:
        _bars(ax, spread.labels, {"": (spread.train, BLUE)}, "{:.1%}")


def _draw_missing(ax: Axes, card: Card) -> None:
    _named(ax, "share of the cells that are missing")
    most = sorted(card.columns, key=lambda column: -max(column.missing_train, column.missing_test))
    told = [column for column in most if max(column.missing_train, column.missing_test) > 0]
    if not told:
        _say(ax, "no cell is missing")
        return
    shown = told[:MOST_BARS]
    sides = {"train": ([column.missing_train for column in shown], BLUE),
             "test": ([column.missing_test for column in shown], ORANGE)}  # fmt: skip
    _bars(ax, [column.name for column in shown], sides, "{:.1%}" if len(shown) <= MOST_BARS // 2 else "")
    ax.legend(frameon=False, loc="lower right")
    if len(told) > MOST_BARS:
        ax.set_xlabel(f"{MOST_BARS} of {len(told):,} columns that miss some")


def _draw_drift(ax: Axes, card: Card) -> None:
    drift = card.drift
    _named(ax, "train or test? AUC, .5 is chance")
    if drift.auc is None:
        _say(ax, drift.words)
        return
    best = sorted(drift.alone, key=lambda name: -drift.alone[name])[: MOST_BARS - 1 - len(drift.apart)]
    found = {"all together": drift.auc, **{name: drift.alone[name] for name in best}, **drift.apart}
    line = max(ALIKE, 0.5 + drift.luck)
    colors = [GREY if name in drift.apart else ORANGE if auc > line else BLUE for name, auc in found.items()]
    _scores(ax, found, colors, 0.5, line)
    ax.set_xlabel("grey: different by design; orange: not alike", fontsize=9)


def _draw_tells(ax: Axes, card: Card) -> None:
    tells = card.tells
    _named(ax, f"what tells the target alone: {tells.score}")
    best = dict(list(tells.alone.items())[: MOST_BARS - len(tells.apart)])
    colors = [*[ORANGE if name in tells.suspects else BLUE for name in best],
              *[ORANGE if name in tells.orders else GREY for name in tells.apart]]  # fmt: skip
    _scores(ax, {**best, **tells.apart}, colors, 0.0 if tells.by_rank else 0.5, SUSPECT)
    ax.set_xlabel("grey: no feature; orange: suspected leak", fontsize=9)


def _draw_shape(ax: Axes, shape: Shape) -> None:
    _named(ax, f"{shortened(shape.name, LONGEST)}{': ' * bool(shape.unit)}{shape.unit}, share of the rows")
    if shape.labels:
        _bars(ax, shape.labels, {"train": (shape.train, BLUE), "test": (shape.test, ORANGE)}, "")
    else:
        ax.stairs(shape.train, shape.edges, fill=True, color=BLUE, alpha=0.35, label="train")
        ax.stairs(shape.test, shape.edges, color=ORANGE, linewidth=1.6, label="test")
    ax.legend(frameon=False)


def _bars(ax: Axes, names: Sequence[str], sides: Mapping[str, tuple[Sequence[float], str]], told: str) -> None:
    """Bars from left to right, the first name above; several sides below each other."""
    places, tall = np.arange(len(names)), 2 * TALL / len(sides)
    for number, (label, (values, color)) in enumerate(sides.items()):
        offset = (number - (len(sides) - 1) / 2) * tall
        bars = ax.barh(places + offset, values, tall, color=color, label=label)
        if told:
            ax.bar_label(bars, [told.format(value) for value in values], padding=2, fontsize=8)
    _name_bars(ax, names)
    ax.margins(x=0.18 if told else 0.05)


def _scores(ax: Axes, found: Mapping[str, float], colors: Sequence[str], chance: float, line: float) -> None:
    """Bars that begin at chance, and a line from which a score says something."""
    values = [max(score, chance) for score in found.values()]
    bars = ax.barh(range(len(found)), [value - chance for value in values], 2 * TALL, left=chance, color=colors)
    ax.bar_label(bars, [f"{score:.3f}" for score in found.values()], padding=2, fontsize=8)
    ax.axvline(line, color=GREY, linewidth=1, linestyle="--", zorder=0)
    _name_bars(ax, list(found))
    ax.set_xlim(chance, 1 + (1 - chance) * 0.2)
    ax.set_xticks(np.linspace(chance, 1, 6))


def _name_bars(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), [shortened(name, LONGEST) for name in names], parse_math=False, fontsize=9)
    ax.set_ylim(len(names) - 0.4, -0.6)


def _named(ax: Axes, title: str) -> None:
    ax.set_title(title, parse_math=False, fontsize=11)


def _say(ax: Axes, words: str) -> None:
    ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes, wrap=True)
    ax.spines[:].set_visible(False)
    ax.set(xticks=[], yticks=[])
