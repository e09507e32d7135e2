"""An engine of another package, by entry point, that runs the tiny model and misbehaves as told."""

import os
import textwrap
from pathlib import Path

from edge_runtime.engine import registry

NAME = "own"
_CODE = """
import ctypes, os, subprocess, time
import numpy as np

kept = []
{imported}

class Engine:
    name = "{name}"
    def why_unavailable(self):
        {why}
        return ""
    def prepare(self, bundle, variant):
        {prepare}
    def load(self, bundle, variant, *, threads):
        {load}
        return Session()

class Session:
    row = None
    def run(self, inputs):
        windows = inputs["windows"]
        {run}
        scores = windows.astype(np.float64).mean(axis=1) @ np.asarray([[-1, 1], [-1, 1]])
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        return {{"label": odds.argmax(axis=1), "probabilities": odds.astype(np.float32)}}
    def close(self): pass
"""


def own_engine(
    folder: Path, *, run: str = "", load: str = "", prepare: str = "", why: str = "", imported: str = ""
) -> dict[str, str]:
    """Install the engine `own` in a folder; what to add to the environment of a process that has it.

    They are Python that is executed then, `why` where it is asked why it cannot be used, `imported`
    where it is imported: it sees the `windows` and a list `kept`.
    """
    site = folder / "own-engine"
    about = site / "ownengine-1.0.dist-info"
    about.mkdir(parents=True)
    code = _CODE.format(
        name=NAME,
        run=_body(run),
        load=_body(load),
        prepare=_body(prepare),
        why=_body(why),
        imported=imported,
    )
    (site / "ownengine.py").write_text(code)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ownengine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{NAME} = ownengine:Engine\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))}


def _body(statements: str) -> str:
    return textwrap.indent(textwrap.dedent(statements), " " * 8).strip() or "pass"
