"""Signing many reports in one sitting: tabs, downloads that are cancelled, the folder, the name, and what is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cd40l_flow.result.reviews.state import digest_of
from helpers.pages.opened import Open, Reported
from helpers.results import report_samples as made

Make = Callable[[made.Scenario], Reported]
SAVE = "Sign and save the file"
PICK = "window.showDirectoryPicker = async () => navigator.storage.getDirectory()"
FILES = """async () => {
  const found = {}, folder = await navigator.storage.getDirectory();
  for await (const [name, handle] of folder.entries()) found[name] = await (await handle.getFile()).text();
  return found;
}"""


def status(page: Page) -> str:
    return page.locator("#sign-status").inner_text()


def accept(page: Page, name: str = "") -> None:
    """Accept the automatic call, under a name if one is typed."""
    page.get_by_label("Accept the automatic call").check()
    if name:
        page.fill("#sign-name", name)


def sign(page: Page, folder: Path) -> Path:
    """Sign and put the download into a folder."""
    with page.expect_download() as download:
        page.get_by_role("button", name=SAVE).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_two_tabs_are_merged_field_by_field(make_report: Make, opened: Open) -> None:
    """What is typed in one tab is neither lost nor overwritten by the other."""
    report = make_report(made.SCENARIOS["NORMAL"]).write()
    one, two = opened(report).page, opened(report).page
    one.fill("#sign-comment", "typed in the first tab")
    two.locator(".gate-verdict select").nth(2).select_option("exclude")
    two.locator(".gate-verdict textarea").nth(2).fill("no cells")
    one.get_by_label("Accept the automatic call").check()

    for page in (one, two):
        expect(page.locator("#sign-comment")).to_have_value("typed in the first tab")
        assert page.locator(".gate-verdict select").nth(2).input_value() == "exclude"
        assert page.locator(".gate-verdict textarea").nth(2).input_value() == "no cells"
        assert page.get_by_label("Accept the automatic call").is_checked()


def test_a_cancelled_download_is_not_shown_as_saved_and_is_not_lost(
    make_report: Make, opened: Open, tmp_path: Path
) -> None:
    report = make_report(made.SCENARIOS["NORMAL"])
    page = opened(report.write()).page
    accept(page, "Anna Smith")
    with page.expect_download() as download:
        page.get_by_role("button", name=SAVE).click()
    download.value.cancel()

    assert "cannot see whether it was kept" in status(page) and "is in the folder" not in status(page)
    page.reload()
    assert page.locator(".sign-mark").first.inner_text() == "Signed here, not yet taken up"
    assert "Accepted by Anna Smith" in page.locator("#sign-waiting").inner_text()
    with page.expect_download() as again:
        page.get_by_role("button", name="Save again").click()
    path = tmp_path / again.value.suggested_filename
    again.value.save_as(path)
    taken = opened(report.write(path)).page
    assert taken.locator(".sign-mark").first.is_hidden() and taken.locator("#sign-waiting").is_hidden()
    assert "accepted by Anna Smith" in taken.locator("#review").inner_text()


def test_a_second_review_in_one_browser_follows_the_first(make_report: Make, opened: Open, tmp_path: Path) -> None:
    """Before any run, and over two tabs: one chain, not a fork; the script's digest is that of the file."""
    report = make_report(made.SCENARIOS["NORMAL"])
    one, two = opened(report.write()).page, opened(report.write()).page
    accept(one, "Änna Smith €")
    one.fill("#sign-name", "Anna Smith")
    one.fill("#sign-comment", "Größe µ € 😀")
    first = sign(one, tmp_path)
    two.get_by_label("Ask for a repeat").check()
    two.fill("#sign-comment", "on second thought")
    second = sign(two, tmp_path)

    assert json.loads(second.read_text(encoding="utf-8"))["previous"] == [digest_of(first)]
    # Only the last can be withdrawn: the other is named by it.
    expect(one.get_by_role("button", name="Withdraw")).to_have_count(1)
    page = opened(report.write(first, second)).page
    assert page.locator("header .tag:not(.sign-mark)").last.inner_text() == "Repeat requested"


def test_a_withdrawn_review_is_forgotten(make_report: Make, opened: Open, tmp_path: Path) -> None:
    page = opened(make_report(made.SCENARIOS["NORMAL"]).write()).page
    accept(page, "Anna Smith")
    sign(page, tmp_path)
    page.get_by_role("button", name="Withdraw").click()
    assert page.locator("#sign-waiting").is_hidden()
    accept(page)
    assert json.loads(sign(page, tmp_path).read_text(encoding="utf-8"))["previous"] == []


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Serve the folder on this machine: only there a browser lets a page write into a folder of its own."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_sitting_of_many_samples_types_the_name_and_chooses_the_folder_once(
    make_report: Make, browser: Browser, served: str, tmp_path: Path
) -> None:
    """Forty-two samples: after the first, two clicks each, and every file lies in the folder as it was signed."""
    one = make_report(made.SCENARIOS["NORMAL"])
    html = one.write().read_text(encoding="utf-8")
    names = [f"S{number:02d}" for number in range(42)]
    for name in names:
        place = tmp_path / name / "report.html"
        place.parent.mkdir()
        place.write_text(html.replace("P01", name), encoding="utf-8")
    context = browser.new_context()
    context.add_init_script(PICK)
    page = context.new_page()
    downloads: list[object] = []
    page.on("download", lambda download: downloads.append(download))
    for name in names:
        page.goto(f"{served}/{name}/report.html")
        if name == names[0]:
            page.fill("#sign-name", "Anna Smith")
            page.get_by_role("button", name='Choose the folder "reviews"').click()
            expect(page.locator("#sign-where")).to_contain_text("written into")
        assert page.locator("#sign-name").input_value() == "Anna Smith"
        page.get_by_label("Accept the automatic call").check()
        page.get_by_role("button", name=SAVE).click()
        expect(page.locator("#sign-status")).to_contain_text("The next run takes it up")
    files = {name: json.loads(text) for name, text in page.evaluate(FILES).items()}
    context.close()

    assert downloads == []
    assert sorted(review["sample"] for review in files.values()) == names
    assert {review["reviewer"] for review in files.values()} == {"Anna Smith"}


def test_a_folder_that_cannot_be_written_is_reported_and_the_file_downloaded(
    make_report: Make, browser: Browser, served: str, tmp_path: Path
) -> None:
    make_report(made.SCENARIOS["NORMAL"]).write()
    context = browser.new_context(accept_downloads=True)
    context.add_init_script(PICK)
    context.add_init_script("FileSystemFileHandle.prototype.createWritable = async () => { throw new Error('full'); }")
    page = context.new_page()
    page.goto(f"{served}/P01/report.html")
    page.get_by_role("button", name='Choose the folder "reviews"').click()
    accept(page, "Anna Smith")
    sign(page, tmp_path)

    assert "could not be written into the folder" in status(page)
    assert "not known to be kept" in page.locator("#sign-waiting").inner_text()
    context.close()


def test_a_folder_that_is_not_chosen_leaves_downloads(
    make_report: Make, browser: Browser, served: str, tmp_path: Path
) -> None:
    make_report(made.SCENARIOS["NORMAL"]).write()
    context = browser.new_context(accept_downloads=True)
    context.add_init_script(
        "window.showDirectoryPicker = async () => { throw new DOMException('cancelled', 'AbortError'); }"
    )
    page = context.new_page()
    page.goto(f"{served}/P01/report.html")
    page.get_by_role("button", name='Choose the folder "reviews"').click()

    expect(page.locator("#sign-status")).to_have_text("No folder was chosen.")
    assert page.locator("#sign-where").inner_text() == "Files are handed to the browser as downloads."
    context.close()


def test_a_gate_of_all_tubes_is_judged_once(make_report: Make, opened: Open, tmp_path: Path) -> None:
    page = opened(make_report(replace(made.SCENARIOS["ABSENT"])).write()).page
    before = page.locator(".gate-verdict .elsewhere").count()
    assert before > 0
    page.locator(".gate-verdict", has=page.locator("select[aria-label*='all tubes']")).first.locator(
        "select"
    ).select_option("exclude")
    assert "One gate for all tubes: Exclude" in page.locator(".gate-verdict .elsewhere").all_inner_texts()
    page.locator(".gate-verdict textarea:visible").first.fill("no cells")
    page.get_by_label("Ask for a repeat").check()
    page.fill("#sign-comment", "gate")
    page.fill("#sign-name", "Anna Smith")
    (gate,) = json.loads(sign(page, tmp_path).read_text(encoding="utf-8"))["gates"]
    assert (gate["tube"], gate["stimulation"], gate["reagent"]) == (None, None, None)
