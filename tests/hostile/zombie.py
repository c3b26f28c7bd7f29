"""Starts a child that holds on to the pipes, and whose number goes to a file; dies at the first question, waits, or does its work."""

import os
import pathlib
import subprocess
import sys
import time

from honest import results, say, serve

child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"], start_new_session=sys.argv[2] == "own_session")
pathlib.Path(sys.argv[1]).write_text(str(child.pid), "ascii")


def run(message):
    if sys.argv[3] == "dies":
        os._exit(0)
    if sys.argv[3] == "waits":
        time.sleep(3600)
    say(message, results=results(message))


serve(run, stop=lambda: os._exit(0))
