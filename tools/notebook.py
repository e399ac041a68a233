"""Execute docs/first-steps.ipynb and keep its outputs; ``markdown`` turns it into a page of the site.

``pip install -e '.[docs]'`` brings what executes it. Outputs are small: texts and figures, no path and no time.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parent.parent / "docs" / "first-steps.ipynb"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path) -> None:
    """Run all cells in a fresh kernel and an empty folder, and write the notebook with their outputs.

    Raises:
        CellExecutionError: a cell fails; the notebook is left as it was.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {}  # no times of execution
        if cell.cell_type == "code":  # without advice of the machine on which it ran
            cell.outputs = _joined([one for one in cell.outputs if one.get("name") != "stderr"])
    nbformat.write(notebook, path)


def _joined(outputs: list[Any]) -> list[Any]:
    """What is printed in one piece; a kernel sends it in as many as it likes."""
    kept: list[Any] = []
    for one in outputs:
        if kept and one["output_type"] == kept[-1]["output_type"] == "stream":
            kept[-1]["text"] += one["text"]
        else:
            kept.append(one)
    return kept


def printed(path: Path) -> str:
    """What the cells printed when they were executed."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    outputs = [one for cell in cells for one in cell.get("outputs", ())]
    return "".join("".join(one["text"]) for one in outputs if one["output_type"] == "stream")


def code_cells(path: Path) -> list[str]:
    """The code of each cell, in order."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def markdown(path: Path, pictures: Path) -> str:
    """The notebook as a page of Markdown; its figures go into the folder ``pictures``, which lies beside the page."""
    pictures.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        for place, output in enumerate(cell["outputs"]):
            parts.append(_output(output, pictures, f"{number}-{place}.png"))
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any], pictures: Path, name: str) -> str:
    """One output: a figure as a file, anything else as text."""
    data = output.get("data", {})
    if "image/png" in data:
        (pictures / name).write_bytes(base64.b64decode(data["image/png"]))
        return f"![Figure of the cell above]({pictures.name}/{name})"
    text = "".join(data.get("text/plain", output.get("text", "")))
    return f"```text\n{text.rstrip()}\n```"


def main() -> int:
    """0 where the notebook has been executed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the same sums as in the documentation
    execute(NOTEBOOK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
