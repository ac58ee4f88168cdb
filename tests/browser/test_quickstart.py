"""The quickstart in JupyterLab, as a newcomer meets it: opened, run from the menu, looked at."""

import os
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Lab


@pytest.fixture(scope="module")
def code_cells(root: Path) -> int:
    notebook = nbformat.read(root / "notebooks" / "01-quickstart.ipynb", as_version=4)
    return sum(cell.cell_type == "code" for cell in notebook.cells)


# Browser, JupyterLab, kernel and sandbox share the cores, with other tests.
@pytest.mark.timeout(600)
def test_run_all_shows_every_picture_and_no_address_of_the_sandbox(
    page: Page, lab: Lab, code_cells: int, tmp_path: Path
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    lab.open(page, "01-quickstart.ipynb")

    lab.run_all(page, code_cells)

    outputs = page.locator(".jp-OutputArea-output")
    pictures = outputs.locator("img[alt*='red panda'], img[alt*='paper boat'], img[alt*='teapot']")
    assert pictures.count() == 1 + 3 + 1 + 2
    drawn = pictures.evaluate_all("all => all.filter(it => it.complete && it.naturalWidth > 100).length")
    assert drawn == pictures.count()
    assert outputs.locator("audio").evaluate("sound => sound.src").startswith("data:audio/mpeg")
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert not outputs.get_by_text("Traceback").count()
    # Everything shown came through the kernel: the browser sent requests to JupyterLab only.
    own = (lab.url, lab.url.replace("http", "ws"), "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    page.set_viewport_size({"width": 1180, "height": 1240})
    page.locator(".jp-WindowedPanel-outer:visible").first.evaluate("it => { it.scrollTop = 0 }")
    page.screenshot(path=folder / "quickstart.png")
