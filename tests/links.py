"""Links from documents to lines of code, each with the code that stands there: whether it does, and new numbers.

python -m tests.links --fix    # writes the numbers of lines that have moved into the documents
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pipelines.home import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TO_LINE = re.compile(r"\]\((?!https?:)[^)]*#L\d+\)")
QUOTING = re.compile(r"\]\((?P<file>(?!https?:)[^)#]+)#L(?P<number>\d+)\) \| `(?P<code>[^`]+)`")  # two cells of a table


def places(page: Path, link: re.Match[str]) -> list[int]:
    """The lines that hold the linked code, counted from 1, those nearest to the link's first."""
    lines = (page.parent / link["file"]).read_text().splitlines()
    found = [number for number, line in enumerate(lines, start=1) if link["code"] in line]
    return sorted(found, key=lambda number: abs(number - int(link["number"])))


def faults(page: Path) -> list[str]:
    """What is wrong with a document's links to lines, a line each."""
    text = page.read_text()
    links = list(QUOTING.finditer(text))
    alone = len(TO_LINE.findall(text)) - len(links)
    told = [f"{page.name}: {alone} links to lines have no cell with `code` beside them"] if alone else []
    for link in links:
        found, where = places(page, link), f"{page.name}: {link['file']}#L{link['number']} shows `{link['code']}`"
        if not found:
            told.append(f"{where}, which no line of the file holds: write the code as it is now")
        elif found[0] != int(link["number"]):
            told.append(f"{where}, which is line {found[0]} now: python -m tests.links --fix")
    return told


def mended(page: Path) -> str:
    """The document with the numbers of the lines that its code stands in now."""

    def renumbered(link: re.Match[str]) -> str:
        found = places(page, link)
        return link[0].replace(f"#L{link['number']})", f"#L{found[0]})", 1) if found else link[0]

    return QUOTING.sub(renumbered, page.read_text())


def main(arguments: list[str]) -> int:
    """Tells the faults; with --fix, those that new numbers do not mend."""
    if "--fix" in arguments:
        for page in PAGES:
            page.write_text(mended(page))
    told = [fault for page in PAGES for fault in faults(page)]
    print("\n".join(told) or "every linked line holds its code")
    return bool(told)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
