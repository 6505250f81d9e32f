"""Telling people and programs that a run has ended: a mail by the site's sendmail, a call of a webhook.

Only counts are sent, never the name of a sample, run, file, machine or person. What cannot be sent never makes
a run fail.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.message import EmailMessage
from http.client import HTTPException
from typing import Any

from cd40l_flow import __version__
from cd40l_flow.result.runs.tally import Tally

PATIENCE = 20.0  # s, for sendmail or an answer of the webhook


def notify(settings: Mapping[str, Any], state: str, tally: Tally, seconds: float) -> list[str]:
    """Send what the configuration asks for at the end of a run; return why something could not be sent.

    ``settings`` is ``notify`` of the configuration, ``state`` is success or failure. Neither an address nor the URL,
    which may hold a secret, is in what is returned.
    """
    if state not in settings.get("when", ()):
        return []
    return list(_send(settings, summary(state, tally, seconds)))


def summary(state: str, tally: Tally, seconds: float) -> dict[str, Any]:
    """Return the message about a run, as a webhook gets it; ``text`` has all of it in words, for chat programs."""
    counts = {"samples": tally.samples, "failed": tally.failed, "not_begun": tally.unbegun, "calls": dict(tally.calls)}
    words = f"{state}. Calls of {tally.words()}. Failed: {tally.failed}. Not begun: {tally.unbegun}."
    text = f"cd40l-flow {__version__}: {words} It took {_duration(seconds)}."
    return {"text": text, "program": "cd40l-flow", "version": __version__, "state": state, **counts, "seconds": seconds}


def _send(settings: Mapping[str, Any], outcome: Mapping[str, Any]) -> Iterator[str]:
    if "mail" in settings:
        try:
            _mail(settings["mail"], outcome)
        except (OSError, subprocess.SubprocessError) as error:
            yield f"the mail was not sent: {_why(error)}."
    if "webhook" in settings:
        try:
            _post(settings["webhook"]["url"], outcome)
        except (OSError, HTTPException, ValueError) as error:
            yield f"the webhook was not reached: {_why(error)}."


def _mail(mail: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
    message = EmailMessage()
    message["To"] = ", ".join(mail["to"])
    if "from" in mail:
        message["From"] = mail["from"]
    message["Subject"] = f"cd40l-flow: {outcome['state']}, {outcome['samples']} samples, {outcome['failed']} failed"
    # Automatic answers, such as those of people on leave, are not wanted (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    calls = [f"  {call}: {number}" for call, number in outcome["calls"].items()]
    message.set_content("\n".join([outcome["text"], "", "Calls by kind:", *calls, ""]))
    # -t takes the addresses from the message, -i no dot on a line as its end.
    subprocess.run(
        [mail["sendmail"], "-t", "-i"], input=bytes(message), capture_output=True, check=True, timeout=PATIENCE
    )


def _post(url: str, outcome: Mapping[str, Any]) -> None:
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        """Follows no redirection: a message goes only where the configuration names."""

        def redirect_request(self, *_: Any) -> None:
            return None

    headers = {"Content-Type": "application/json", "User-Agent": f"cd40l-flow/{__version__}"}
    request = Request(url, json.dumps(outcome).encode(), headers, method="POST")
    with build_opener(Stay).open(request, timeout=PATIENCE):
        return


def _why(error: BaseException) -> str:
    """Return why something was not sent, without an address or URL."""
    from urllib.error import HTTPError, URLError

    if isinstance(error, HTTPError):
        with suppress(OSError):
            error.close()
        return f"it answered {error.code}"
    if isinstance(error, subprocess.CalledProcessError):
        return f"sendmail ended with exit code {error.returncode}"
    if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
        return f"no answer in {PATIENCE:g} s"
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__ if isinstance(reason, BaseException) else "it cannot be reached"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
