"""The command line, for the workflow's rules and for users."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError, InputsError
from cd40l_flow.cli import analysis, cohort, gates, laboratory, results
from cd40l_flow.cli.arguments import CONFIG, parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when every sample has a result, 2 for a mistake in the inputs, reported without a
    traceback.
    """
    options = parser().parse_args(arguments)
    try:
        if hasattr(options, "configfile"):
            options.configfile = _enter(options.directory, options.configfile)
        code = COMMANDS[options.command](options)
    except InputsError as error:
        print(error, file=sys.stderr)
        return 2
    except Cd40lFlowError as error:
        print(f"cd40l-flow: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        remedy = "See that it is there, that you may read or write it, and that the disk has room."
        print(f"cd40l-flow: {error.filename}: {error.strerror}. {remedy}", file=sys.stderr)
        return 2
    return code


def _enter(directory: str, configfile: str | None) -> str:
    """Go to the working directory; return the configuration's path there.

    As with Snakemake, a configuration that is named starts at the current directory, the default at the working one.
    """
    named = Path(configfile).parent.resolve() / Path(configfile).name if configfile else None
    try:
        os.chdir(directory)
    except OSError as error:
        raise Cd40lFlowError(f"--directory {directory}: {error.strerror}. Name a folder that exists.") from None
    if named is None:
        return CONFIG
    here = Path.cwd()
    # As short as possible: reports and messages shall not show where a laboratory keeps its data.
    return str(named.relative_to(here) if named.is_relative_to(here) else named)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "check": cohort.check,
    "init": cohort.init,
    "inspect": cohort.inspect,
    "run": analysis.run,
    "analyse": analysis.analyse,
    "report": analysis.report,
    "figures": results.figures,
    "export": gates.export,
    "override": gates.override,
    "methods": results.methods,
    "crate": results.crate,
    "summarize": results.summarize,
    "reference": results.reference,
    "validate": laboratory.validate,
    "history": laboratory.history,
    "prune": laboratory.prune,
    "simulate": cohort.simulate,
}


if __name__ == "__main__":
    sys.exit(main())
