"""The tutorial runs from its first block to its last, in one fresh checkout without archives.

`python` and `sh` blocks are run, in their order. A `python` block that opens with the name of a file shows a part of
it, which stands there at that point. A `diff` block opens with `+++` and the name of the file that it changes, and `@@`
parts its pieces: where the lines with a blank or a - stand, those with a blank or a + stand afterwards. `text` shows
what was printed: each line's first word is printed again. `console` is not run.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import data.metrics
from data.metrics import Metric
from models.config import Loss
from pipelines.home import REPOSITORY
from tests import links
from tests.test_docs import BLOCK, assert_runs, check_out

PAGE = REPOSITORY / "docs" / "tutorial.md"
SHOWN = re.compile(r"# (\S+\.py)\n")
WORD = re.compile(r"[^\W\d_]{2,}")


def changed(source: str, diff: str) -> str:
    """A source after the pieces of a `diff` block."""
    for piece in diff.split("@@\n")[1:]:
        lines = [(line[:1], line[1:]) for line in piece.splitlines(keepends=True)]
        before, after = ("".join(line for sign, line in lines if sign.strip() in ("", own)) for own in "-+")
        assert source.count(before) == 1, f"stands {source.count(before)} times, not once:\n{before}"
        source = source.replace(before, after)
    return source


def follow(page: Path, folder: Path) -> list[str]:
    """Does what the tutorial says in a checkout; what each of its commands printed."""
    printed: list[str] = []
    for language, block in BLOCK.findall(page.read_text()):
        shown = SHOWN.match(block)
        if language == "python" and shown:
            source = (folder / shown[1]).read_text()
            assert block[shown.end() :].strip("\n") in source, f"{shown[1]} does not hold\n{block}"
        elif language == "python":
            assert_runs([str(folder / ".venv/bin/python"), "-c", block], folder)
        elif language == "sh":
            for line in block.splitlines():
                command = line.partition("#")[0].strip()
                printed.append(assert_runs(["sh", "-c", command], folder))
        elif language == "diff":
            path = folder / block.split()[1]
            path.write_text(changed(path.read_text(), block))
        elif language == "text":
            said = set(WORD.findall("\n".join(printed)))
            first = [word[0] for line in block.splitlines() if (word := WORD.search(line))]
            assert set(first) <= said, f"{set(first) - said} was not printed"
    return printed


@pytest.mark.slow
def test_a_stranger_can_follow_the_tutorial(tmp_path, python):
    printed = follow(PAGE, check_out(tmp_path, python))
    trained, found = (sum(words in each for each in printed) for words in (", trained in ", "nothing was trained"))
    assert (trained, found) == (5, 1)
    assert re.search(r"kappa +0\.\d+ in that trial; 0\.\d+ as declared, thresholds untuned\n", "\n".join(printed))
    sent = tmp_path / "submissions" / "files" / "hikes" / "latest.csv"
    assert sent.read_text().startswith("id,grade\n321,")


def test_a_diff_that_does_not_fit_is_told():
    assert changed("a\nb\nc\n", "+++ x.py\n@@\n a\n-b\n+d\n@@\n+e\n c\n") == "a\nd\ne\nc\n"
    with pytest.raises(AssertionError, match="stands 0 times"):
        changed("a\nb\n", "+++ x.py\n@@\n-c\n")


def test_it_names_every_metric_and_every_loss():
    text = PAGE.read_text()
    metrics = [name for name, value in vars(data.metrics).items() if isinstance(value, Metric)]
    for name in [*metrics, *Loss.__members__]:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("page", links.PAGES, ids=lambda page: page.name)
def test_every_linked_line_holds_the_code_that_is_shown(page):
    assert links.faults(page) == []


def test_a_line_that_has_moved_is_told_and_renumbered(tmp_path):
    (tmp_path / "code.py").write_text("one = 1\n\ntwo = 2\n")
    page = tmp_path / "page.md"
    page.write_text("| one | [code.py](code.py#L1) | `one = 1` |\n| two | [code.py](code.py#L2) | `two = 2` |\n")
    assert links.faults(page) == [
        "page.md: code.py#L2 shows `two = 2`, which is line 3 now: python -m tests.links --fix"
    ]
    page.write_text(links.mended(page))
    assert links.faults(page) == []
    page.write_text("[code.py](code.py#L3)\n| three | [code.py](code.py#L3) | `three` |\n")
    alone, gone = links.faults(page)
    assert "1 links to lines have no cell" in alone
    assert "no line of the file holds" in gone
