"""Make the pictures of ``docs/reports``: ``python -m docs.screenshots``.

Analyses the demo cohort of ``test_data`` in a temporary folder and photographs parts of its reports in Chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "reports"
MOST_BYTES = 150_000
WIDTH = 1280  # pixels: page one is made for a screen of 1280 x 900
# One sample of each call, and the parts of its report that its page talks about.
SAMPLES: Mapping[str, tuple[str, ...]] = {
    "P01": ("call", "target"),
    "P04": ("call", "target"),
    "P03": ("call", "target"),
    "P05": ("call", "target"),
    "P07": ("call", "target"),
    "P08": ("call", "activation"),
}
NAMES = {
    "P01": "normal",
    "P04": "reduced",
    "P03": "absent",
    "P05": "mosaic",
    "P07": "functional",
    "P08": "indeterminate",
}


def main() -> None:
    """Write every picture anew."""
    browser_path = shutil.which("chromium")
    if browser_path is None:
        sys.exit("chromium is not installed")
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        results = analyse(Path(folder))
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        for sample, parts in SAMPLES.items():
            page.goto((results / "samples" / sample / "report.html").as_uri())
            page.evaluate("document.querySelectorAll('details.fold').forEach(part => { part.open = true; })")
            for part in parts:
                photograph(page, f"#{part}", f"{NAMES[sample]}-{part}")
        page.goto((results / "samples" / "P05" / "report.html").as_uri())
        photograph(page, "#call .main-figure img", "main-figure")
        page.goto((results / "samples" / "P03" / "report.html").as_uri())
        photograph(page, "#gating .tube:nth-of-type(2)", "gating")
        page.locator(".gate-verdict select").nth(11).select_option("adjust")
        page.get_by_role("radio", name="Override it").check()
        photograph(page, "#sign", "sign")
        page.goto((results / "index.html").as_uri())
        page.locator("tr[data-sample=P03] .pick").click()
        photograph(page, "#table", "index-table")
        photograph(page, "#strips .strips", "index-strips")
        browser.close()


def analyse(directory: Path) -> Path:
    """Run the demo cohort; return its results."""
    shutil.copytree(ROOT / "test_data" / "config", directory / "config")
    (directory / "fcs").symlink_to(ROOT / "test_data" / "fcs")
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", "--quiet"),
        *("--directory", str(directory), "--configfile", str(directory / "config" / "config.yaml")),
    ]
    subprocess.run(command, env={**os.environ, "PATH": scripts}, check=True)
    return directory / "results"


def photograph(page: Page, part: str, name: str) -> None:
    """Save one part of a page as a small PNG."""
    place = page.locator(part).first
    # The bar at the top of the window would lie over a part that is taller than the window.
    height = int(place.evaluate("part => Math.ceil(part.getBoundingClientRect().height)")) + 200
    page.set_viewport_size({"width": WIDTH, "height": max(height, 900)})
    place.scroll_into_view_if_needed()
    picture = Image.open(io.BytesIO(place.screenshot())).convert("RGB")
    path = PICTURES / f"{name}.png"
    for colours in (128, 64, 32, 16):
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    else:
        sys.exit(f"{path} is larger than {MOST_BYTES} bytes")
    print(path.relative_to(ROOT), path.stat().st_size)


if __name__ == "__main__":
    main()
