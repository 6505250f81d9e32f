"""Workers that end with the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from helpers.runs.workers import STARTS, answers, eventually


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Return what starts a program that prints the name of a worker, and waits until that one answers."""
    started = []

    def begin(program: str = STARTS, wait: bool = True, **options: object) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-P", "-c", program],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options},
        )
        started.append(process)
        name = process.stdout.readline().strip()
        if wait:
            eventually(lambda: answers(name))
        return process, name

    yield begin
    for process in started:
        process.kill()
        with process:  # closes its pipes, also after communicate() gave up
            process.communicate()


@pytest.fixture
def name(start: Callable[..., tuple[subprocess.Popen[str], str]]) -> str:
    """Return the name of a worker."""
    return start()[1]
