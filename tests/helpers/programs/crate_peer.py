"""Validate an RO-Crate with the validator of the RO-Crate community, without a network.

Run by the Python of the peers: ``crate_peer.py CRATE CONTEXT SEVERITY``; prints one issue a line. ``CONTEXT`` is a
JSON-LD context of RO-Crate with the terms of schema.org. What the crate's own contexts name beyond them, or by another
address, is added here: the terms of Bioschemas as RO-Crate 1.1 has them, those of workflow runs.
"""

import json
import sys
from pathlib import Path

from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.services import validate
from rocrate_validator.utils import document_loader

BIOSCHEMAS = "https://bioschemas.org/"
TERMS = {
    "ComputationalWorkflow": f"{BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}FormalParameter",
    "input": f"{BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}ComputationalWorkflow#output",
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
}


def main(crate: str, context: str, severity: str) -> None:
    terms = json.loads(Path(context).read_text(encoding="utf-8"))["@context"]
    known = {"@context": terms | TERMS}
    document_loader._fetch_json_ld = lambda url: known
    document_loader.install_document_loader()
    settings = ValidationSettings(
        rocrate_uri=crate, profile_identifier="workflow-run-crate-0.5", requirement_severity=Severity[severity]
    )
    for issue in validate(settings).get_issues():
        print(f"{issue.severity.name} {issue.check.identifier} {issue.violatingEntity}: {issue.message}")


if __name__ == "__main__":
    main(*sys.argv[1:])
