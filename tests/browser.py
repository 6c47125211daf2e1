"""MLflow's pages in a headless Chromium, walked through as a person does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.home import REPOSITORY, Home
from tests.clusters import free_port, listens, wait_for
from tests.environment import without_make
from tests.serving import drained

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SEEN = {"mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true", "mlflow.assistant.panelOpen_v1": "false"}
WIDTH, HEIGHT = 1400, 800
PATIENCE = 120.0  # seconds for what a page is to show, on a machine that has other work
ROWS = """rows => {  // each row is drawn in two halves
    const found = {}
    for (const row of rows) {
        const own = found[row.getAttribute('row-index')] ||= ['', []]
        own[0] ||= row.querySelector('a')?.innerText || ''
        own[1].push(...[...row.querySelectorAll('[col-id]')].map(cell => cell.innerText.trim()))
    }
    return Object.keys(found).sort((a, b) => a - b).map(number => found[number])
}"""


class Pages:
    """What a person sees.

    Args:
        page: Playwright's.
        links: the addresses that `make ui` printed, by experiment.
    """

    def __init__(self, page, links: dict[str, str]) -> None:
        self.page, self.links = page, links

    def runs(self, experiment: str) -> list[list[str]]:
        """Opens an experiment by its printed link; the cells of each run that is listed."""
        self.page.goto(self.links[experiment])
        self.page.get_by_text("cv_score").first.wait_for()
        return self.rows()

    def rows(self) -> list[list[str]]:
        """The cells of each run that is listed, as they are shown; its name comes first."""
        self.page.locator("[role=row][row-index] a").first.wait_for()
        rows = self.page.locator("[role=row][row-index]").evaluate_all(ROWS)
        return [[name, *cells] for name, cells in rows if name]

    def sort_by(self, column: str) -> None:
        """Clicks on a column's head."""
        with self.page.expect_response(lambda response: "runs/search" in response.url):
            self.page.get_by_role("columnheader", name=column).first.click()

    def compare(self, *names: str) -> str:
        """Ticks runs in the table and compares them; the text of the page."""
        for name in names:
            row = self.page.locator("[role=row]").filter(has_text=name)
            row.locator("input[type=checkbox]").first.check(force=True)
        self.page.get_by_role("button", name="Compare").click()
        self.page.get_by_text(f"Comparing {len(names)} Runs").wait_for()
        self.page.get_by_text("cv_score", exact=True).first.wait_for()
        return str(self.page.locator("body").inner_text())

    def curves(self, metric: str) -> list[list[float]]:
        """Opens a metric of the runs that are compared; the points of each curve."""
        self.page.get_by_role("link", name=metric, exact=True).press("Enter")  # a click is lost where the page scrolls
        drawn = self.page.locator(".js-plotly-plot .scatterlayer .trace").first
        drawn.wait_for(state="attached")  # a flat one is never seen
        found = self.page.locator(".js-plotly-plot").first.evaluate("plot => plot.data.map(each => [...each.y])")
        return [list(curve) for curve in dict.fromkeys(tuple(map(float, curve)) for curve in found)]  # drawn twice

    def figure(self, run: str, file: str) -> tuple[int, int]:
        """Opens a run by its name in the table and looks at a figure of its; the figure's width and height."""
        self.page.get_by_role("link", name=run, exact=True).click()
        self.page.get_by_role("tab", name="Artifacts").or_(self.page.get_by_text("Artifacts", exact=True)).first.click()
        self.page.get_by_text(file, exact=True).first.click()
        picture = self.page.locator(f"img[src*='{file}'], img[alt*='{file}'], .image-outer-container img").first
        picture.wait_for()
        self.page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
        width, height = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        return int(width), int(height)

    def trials(self, experiment: str, study: str) -> list[str]:
        """Unfolds a study in the table of all runs; the names of the runs that appear below it."""
        self.page.goto(self.links[experiment].partition("?")[0] + "?workflowType=machine_learning")
        row = self.page.locator("[role=row][row-index]").filter(has_text=study)
        before = {cells[0] for cells in self.rows()}
        row.locator("button").first.click()
        self.page.get_by_role("link", name="trial-0").wait_for()
        return [cells[0] for cells in self.rows() if cells[0] not in before]

    def shoot(self, path: Path) -> None:
        """Writes what is seen as a PNG."""
        self.page.screenshot(path=str(path))


@contextmanager
def walk(home: Home, by_make: bool = False) -> Iterator[Pages]:
    """Serves the pages over a home's runs, and opens a browser.

    Args:
        home: of the runs.
        by_make: whether `make ui` serves them, in a home that is a checkout; otherwise `python -m pipelines ui` does.
    """
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="make extras EXTRAS=browser")
    port = free_port()
    command, folder = (
        [sys.executable, "-m", "pipelines", "ui", "--home", str(home.root), "--port", str(port)],
        REPOSITORY,
    )
    if by_make:
        command, folder = ["make", "-s", "ui", f"PORT={port}"], home.root
    server = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env=without_make(), start_new_session=True
    )
    links = _links(server)
    with drained(server), playwright.sync_playwright() as driver:
        wait_for(lambda: listens(port))
        sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium has none for root
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(1000 * PATIENCE)
        page.add_init_script(f"Object.assign(localStorage, {json.dumps(SEEN)})")
        yield Pages(page, links)
        browser.close()


def _links(server: subprocess.Popen[str]) -> dict[str, str]:
    """What the command prints before it serves: an experiment and its address a line."""
    assert server.stdout is not None
    links = {}
    while found := re.fullmatch(r"  (\S+)  (http\S+)\n", server.stdout.readline()):
        links[found[1]] = found[2]
    return links
