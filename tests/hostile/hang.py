"""Never answers a question; or only that whose cases hold the one named."""

import sys
import time

from honest import results, say, serve


def run(message):
    if len(sys.argv) == 1 or sys.argv[1] in message["cases"]:
        time.sleep(3600)
    say(message, results=results(message))


serve(run)
