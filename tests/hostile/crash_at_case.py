"""Aborts where, in the named dtype, one of the named cases is asked."""

import os
import sys

from honest import results, say, serve


def run(message):
    if message["dtype"] == sys.argv[1] and set(sys.argv[2:]) & set(message["cases"]):
        print("assertion failed: x > 0", file=sys.stderr, flush=True)
        os.abort()
    say(message, results=results(message))


serve(run)
