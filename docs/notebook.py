"""Runs the example notebook and writes it with what came out: ``python -m docs.notebook`` in the project's folder."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

SCRIPT = Path(__file__).parent / "notebooks/example.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")


def cells(script: str) -> list[tuple[str, str]]:
    """Return kind (``markdown`` or ``code``) and text of the cells of a script in the percent format."""
    found = []
    for part in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            found.append(
                ("markdown", "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines()))
            )
        else:
            found.append(("code", body.strip()))
    return [(kind, text.strip()) for kind, text in found]


def run(code: str, names: dict[str, Any]) -> list[Any]:
    """Run one cell; return what it printed, the value of its last line and its figures, as outputs of a notebook."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs = [new_output("stream", name="stdout", text=printed.getvalue())] if printed.getvalue() else []
    outputs += [new_output("display_data", {"image/png": picture}) for picture in _figures()]
    if value is not None:
        outputs.append(new_output("execute_result", {"text/plain": repr(value)}))
    return outputs


def _figures() -> list[str]:
    import matplotlib.pyplot as plt

    found = []
    for number in plt.get_fignums():
        content = io.BytesIO()
        plt.figure(number).savefig(content, format="png", dpi=80, metadata={"Software": None})
        found.append(base64.b64encode(content.getvalue()).decode())
    plt.close("all")
    return found


def executed(script: str) -> Any:
    """Return the notebook of a script with the outputs of its cells."""
    import matplotlib

    matplotlib.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    made, count = [], 0
    for number, (kind, text) in enumerate(cells(script)):
        if kind == "markdown":
            cell = new_markdown_cell(text)
        else:
            count += 1
            outputs = run(text, names)
            for output in outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
            cell = new_code_cell(text, outputs=outputs, execution_count=count)
        cell.id = f"cell{number}"
        made.append(cell)
    notebook = new_notebook(cells=made)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.validate(notebook)
    return notebook


if __name__ == "__main__":
    Path("build").mkdir(exist_ok=True)
    nbformat.write(executed(SCRIPT.read_text(encoding="utf-8")), NOTEBOOK)
