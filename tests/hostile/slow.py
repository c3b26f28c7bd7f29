"""Right, but takes its time."""

import time

from honest import results, say, serve


def run(message):
    time.sleep(0.3)
    say(message, results=results(message))


serve(run)
