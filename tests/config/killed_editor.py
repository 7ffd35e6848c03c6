"""Changes and undoes settings, killed at every step that touches the disk; prints what each kill has left, as JSON lines.

Run as a program of its own: each try is a forked child that ends itself without any clean-up.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from config.editor import ConfigEditor, EditConflictError
from config.sources import ConfigInputs

KILLED = 9
STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.setxattr", "fcntl.flock"}


def editor_of(file):
    return ConfigEditor(inputs=ConfigInputs.of(file, environ={}), now_ms=lambda: 5)


def killed_at(step, work):
    """Exit code of a child that ends before its `step`-th touch of the disk."""
    child = os.fork()
    if child == 0:
        seen = 0

        def watch(event, _arguments):
            nonlocal seen
            seen += event in STEPS
            if event in STEPS and seen == step:
                os._exit(KILLED)

        sys.addaudithook(watch)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tried(home, step, *, undo):
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    file = home / "polycopy.toml"
    file.write_text("[prices] # kept\nttl_ms = 300\n")
    editor = editor_of(file)
    editor.change({"prices.ttl_ms": 400}, by="ann")
    work = (lambda: editor.undo(by="bob")) if undo else (lambda: editor.change({"prices.ttl_ms": 500}, by="bob"))
    code = killed_at(step, work)
    left = {"code": code, "text": file.read_text()}
    left["next"] = len(editor.change({"limits.drain_s": 7}, by="cid").changes)
    left["files"] = sorted(path.name for path in home.iterdir())
    left["undone"] = []
    try:
        while True:
            editor.undo(by="cid")
            left["undone"].append(file.read_text())
    except EditConflictError as error:
        left["end"] = error.code
    return left


def main(home):
    for undo in (False, True):
        step, code = 0, KILLED
        while code == KILLED:
            step += 1
            left = tried(home, step, undo=undo)
            code = left["code"]
            print(json.dumps({"undo": undo, "step": step, **left}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
