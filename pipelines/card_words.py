"""Words of a card: what a person should do something about, a sentence each."""

from __future__ import annotations

from pipelines.card import ORDER, Card
from pipelines.card_suspects import SUSPECT
from pipelines.wording import listed

RARE = 0.05  # share of the rows of a class, or with a flag
OFTEN = 0.2  # share of missing cells that is worth a word
APART = 0.1  # difference between the shares that train and test miss
NEW = 0.01  # share of test rows with a category that no train row has
TAIL = 0.4  # skew


def findings(card: Card) -> list[str]:
    """The findings, those of the target first; there is always one on how alike the files are."""
    return [
        *_target(card), *_missing(card), *_odd(card), *_drift(card), *_duplicates(card), *_suspects(card)
    ]  # fmt: skip


def _target(card: Card) -> list[str]:
    shares = dict(zip(card.spread.labels, card.spread.train, strict=True)) if card.spread.labels else {}
    least = min(RARE, 0.5 / max(len(shares), 1))  # of many classes none has many rows
    rare = sorted((label for label, share in shares.items() if share < least), key=lambda label: shares[label])
    if card.skew is not None and abs(card.skew) > TAIL:
        way, mend = (
            ("upward", "learn its logarithm where it is above 0") if card.skew > 0 else ("downward", "look at it")
        )
        return [f"{card.spread.name} has a long tail {way}: {mend}."]
    if rare and card.target != "Shares":
        told = [f"{label} ({shares[label]:.1%})" for label in rare]
        return [f"Rare in {card.spread.name}: {listed(told)}: accuracy hardly sees them."]
    return []


def _missing(card: Card) -> list[str]:
    often = sorted(card.columns, key=lambda column: -max(column.missing_train, column.missing_test))
    often = [column for column in often if max(column.missing_train, column.missing_test) > OFTEN]
    unlike = [column.name for column in card.columns if abs(column.missing_train - column.missing_test) > APART]
    told = [f"{each.name} ({each.missing_train:.0%} of train, {each.missing_test:.0%} of test)" for each in often]
    found = [f"Often missing: {listed(told)}: that a cell is empty may tell something."] if told else []
    return [*found, *([f"Missing more in one file than in the other: {listed(unlike)}."] if unlike else [])]


def _odd(card: Card) -> list[str]:
    constant = [column.name for column in card.columns if column.constant]
    new = [
        f"{column.name} ({column.new:.0%} of test)"
        for column in card.columns
        if (column.new or 0) > NEW and column.name not in card.drift.apart
    ]
    found = [f"The same in all train rows: {listed(constant)}: nothing to learn from."] if constant else []
    return [*found, *([f"Categories that no train row has: {listed(new)}."] if new else [])]


def _drift(card: Card) -> list[str]:
    drift = card.drift
    if drift.auc is None:
        return [f"{_sentence(drift.words)}."]
    by = f", alone by {listed(drift.carriers)}" if drift.carriers else ""
    found = [f"{_sentence(drift.words)} (a classifier tells them apart with AUC {drift.auc:.3f}{by})."]
    apart = [f"{name} ({auc:.2f})" for name, auc in drift.apart.items() if auc > 0.5 + max(drift.luck, 0.2)]
    if apart:
        found.append(f"Different between the files by design: {listed(apart)}: as features they may mislead.")
    return found


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _duplicates(card: Card) -> list[str]:
    exact, near = card.duplicates.exact, card.duplicates.near
    columns = "all columns but the group's" if card.duplicates.columns < len(card.columns) else "all columns"
    found = []
    if near.across:
        found.append(f"Test rows that repeat a train row in {columns}: {exact.across:,}, and nearly: {near.across:,}.")
    if near.train:
        found.append(
            f"Train rows that repeat another: {exact.train:,}, {exact.disagree:,} of them with another target; nearly: "
            f"{near.train:,} and {near.disagree:,}: such rows belong in one fold."
        )
    return found


def _suspects(card: Card) -> list[str]:
    tells = card.tells
    suspects = [
        f"{name} ({'' if tells.alone[name] >= SUSPECT else 'of one class '}{tells.score} {tells.best[name]:.3f})"
        for name in tells.suspects
    ]
    found = []
    if suspects:
        found.append(
            f"Suspected leak: the target can almost be told from {listed(suspects)} alone: was it known before?"
        )
    orders = [
        f"{'the ' if name == ORDER else ''}{name} ({tells.score} {tells.apart[name]:.3f})" for name in tells.orders
    ]
    if orders:
        found.append(f"The target can be told from {listed(orders)}: keep it from every model, and shuffle the folds.")
    return found
