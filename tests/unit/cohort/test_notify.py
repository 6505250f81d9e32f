"""Being told of a run: counts by mail and webhook, nothing that names anybody, and no run that fails by it."""

from __future__ import annotations

import email.policy
import json
import threading
from collections.abc import Iterator
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.cohort.config import load_config
from cd40l_flow.result.runs.tally import Tally
from cd40l_flow.runtime.notify import notify

TALLY = Tally.of(["NORMAL", "NORMAL", "ABSENT"], failed=1)
BOTH = ["success", "failure"]


class Site(HTTPServer):
    """A webhook on this machine: ``got`` is what it was sent, ``answer`` what it says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.answer = 200

    def url(self, path: str = "/hooks/secret-token") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Receiver(BaseHTTPRequestHandler):
    server: Site

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(content)))
        self.send_response(self.server.answer)
        self.send_header("Location", self.server.url("/elsewhere"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sendmail(folder: Path, code: int = 0) -> str:
    """Return a program that keeps what it is given, as ``mail``, with its arguments in ``arguments``."""
    program = folder / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/arguments\ncat > {folder}/mail\nexit {code}\n', "utf-8")
    program.chmod(0o755)
    return str(program)


def test_a_mail_tells_counts(tmp_path: Path) -> None:
    mail = {
        "to": ["flow@example.org", "head@example.org"],
        "from": "plates@example.org",
        "sendmail": sendmail(tmp_path),
    }

    assert notify({"when": BOTH, "mail": mail}, "failure", TALLY, 75.2) == []

    message = message_from_bytes((tmp_path / "mail").read_bytes(), policy=email.policy.default)
    assert (message["To"], message["From"]) == ("flow@example.org, head@example.org", "plates@example.org")
    assert message["Subject"] == "cd40l-flow: failure, 3 samples, 1 failed"
    text = message.get_content()
    assert "Calls of 3 samples: 2 NORMAL, 1 ABSENT. Failed: 1. Not begun: 0. It took 1 min 15 s." in text
    assert "  MOSAIC: 0\n" in text
    assert (tmp_path / "arguments").read_text() == "-t -i\n"


def test_a_webhook_gets_counts(site: Site) -> None:
    assert notify({"when": BOTH, "webhook": {"url": site.url()}}, "success", TALLY, 4.0) == []

    ((path, told),) = site.got
    assert path == "/hooks/secret-token"
    assert told["calls"]["ABSENT"] == 1
    assert (told["state"], told["samples"], told["failed"], told["not_begun"]) == ("success", 3, 1, 0)
    assert set(told) == {
        *("text", "program", "version", "state", "samples", "failed", "not_begun", "calls", "seconds"),
    }


def test_only_what_is_asked_for_is_reported(site: Site, tmp_path: Path) -> None:
    settings = {
        "when": ["failure"],
        "webhook": {"url": site.url()},
        "mail": {"to": ["a"], "sendmail": sendmail(tmp_path)},
    }

    assert notify(settings, "success", TALLY, 1) == []
    assert notify({}, "failure", TALLY, 1) == []

    assert site.got == [] and not (tmp_path / "mail").exists()


def test_what_cannot_be_sent_is_reported_without_address_or_secret(site: Site, tmp_path: Path) -> None:
    """A program that fails or is not there, a webhook that refuses, leads elsewhere or is not there."""
    site.answer = 302
    mail = {"to": ["flow@example.org"], "sendmail": sendmail(tmp_path, code=75)}
    found = notify({"when": BOTH, "mail": mail, "webhook": {"url": site.url()}}, "success", TALLY, 1)
    assert found == [
        "the mail was not sent: sendmail ended with exit code 75.",
        "the webhook was not reached: it answered 302.",
    ]
    assert [path for path, _ in site.got] == ["/hooks/secret-token"]

    gone = {"to": ["flow@example.org"], "sendmail": str(tmp_path / "none")}
    closed = "http://127.0.0.1:9/secret-token"
    found = notify({"when": BOTH, "mail": gone, "webhook": {"url": closed}}, "success", TALLY, 1)
    assert found == [
        "the mail was not sent: No such file or directory.",
        "the webhook was not reached: Connection refused.",
    ]

    for url in ("http://[::1/secret-token", "https://127.0.0.1:99999/secret-token", "http://host.invalid/secret-token"):
        (said,) = notify({"when": BOTH, "webhook": {"url": url}}, "success", TALLY, 1)
        assert "secret" not in said and "invalid" not in said


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{mail: {}}", "notify.mail.to"),
        ("{mail: {to: []}}", "notify.mail.to"),
        ("{mail: {to: [-oQ/tmp]}}", "notify.mail.to.0"),
        ('{mail: {to: ["a@b, c@d"]}}', "notify.mail.to.0"),
        ("{mail: {to: [a@b], sendmail: sendmail}}", "notify.mail.sendmail"),
        ('{mail: {to: [a@b], from: "a@b\\nBcc: c@d"}}', "notify.mail.from"),
        ("{webhook: {url: 'file:///folder/file'}}", "notify.webhook.url"),
        ("{webhook: {}}", "notify.webhook.url"),
        ("{when: [always]}", "notify.when.0"),
        ("{when: []}", "notify.when"),
        ("{e_mail: {to: [a@b]}}", "notify.e_mail"),
    ],
)
def test_a_mistake_in_the_configuration_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fcs").mkdir()
    Path("c.yaml").write_text(f"samples: s\ntubes: t\nfcs_dir: fcs\nnotify: {text}\n", encoding="utf-8")
    _, problems = load_config("c.yaml")
    assert [problem.column for problem in problems] == [place]


def test_defaults_are_filled_in_where_something_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fcs").mkdir()
    Path("c.yaml").write_text("samples: s\ntubes: t\nfcs_dir: fcs\nnotify: {mail: {to: [a@b]}}\n", encoding="utf-8")
    config, problems = load_config("c.yaml")
    assert config is not None and not problems
    assert config.notify == {"when": BOTH, "mail": {"to": ["a@b"], "sendmail": "/usr/sbin/sendmail"}}
