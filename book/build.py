"""Builds the book: chapters from here, and a page for each loss from the command `xent`.

`python build.py XENT OUT` takes the path of the command and the folder to write to.
"""

import json
import pathlib
import shutil
import subprocess
import sys

CHAPTERS = pathlib.Path(__file__).parent
LANGUAGES = {"en": "", "zh": "zh/"}


def main(command, out):
    out = pathlib.Path(out)
    source = out / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(CHAPTERS, source, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    losses = json.loads(said(command, "list", "--json"))
    plane = ["plot", "mse_softmax", "cross_entropy", "--plane", "--at=0,8"]
    said(command, *plane, "--out", str(source / "plane.svg"))
    for language, folder in LANGUAGES.items():
        pages = source / folder / "losses"
        pages.mkdir(parents=True)
        for loss in losses:
            text = said(command, "explain", loss["name"], "--markdown", "--lang", language)
            (pages / f"{loss['name']}.md").write_text(switch(loss["name"], language) + text, "utf-8")
        index = source / folder / "losses.md"
        index.write_text(index.read_text("utf-8") + contents(losses), "utf-8")
    builder = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    subprocess.run([*builder, "-c", CHAPTERS, source, out / "html"], check=True)


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def switch(name, language):
    """A link to the same page in the other language."""
    if language == "en":
        return f"[简体中文](../zh/losses/{name}.md)\n\n"
    return f"[English](../../losses/{name}.md)\n\n"


def contents(losses):
    names = "\n".join(f"losses/{loss['name']}" for loss in losses)
    return f"\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"


main(*sys.argv[1:])
