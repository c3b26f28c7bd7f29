"""Prints 1 GB: on one line, in lines after an honest answer, or to standard error (which is nobody's business)."""

import os
import sys

from honest import results, say, serve

CHUNK = {"line": b"x" * 2**20, "lines": b"{}\n" * 2**19, "stderr": b"warning\n" * 2**17}


def run(message):
    if sys.argv[1] != "line":
        say(message, results=results(message))
    for _ in range(2**30 // len(CHUNK[sys.argv[1]])):
        os.write(2 if sys.argv[1] == "stderr" else 1, CHUNK[sys.argv[1]])
    os._exit(0)


serve(run)
