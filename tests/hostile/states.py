"""Honest, and states something: the first argument is added to the answer to start; the second takes the place of the result of the
cases that are named after it, or ("all") of every answer."""

import json
import sys

from honest import START, results, say, serve

start, more, *where = [json.loads(text) if text.startswith("{") else text for text in sys.argv[1:]]


def run(message):
    if where == ["all"]:
        return say(message, **more)
    found = results(message)
    for i, one in enumerate(found):
        if message["cases"][i] in where:
            found[i] = more
        elif start.get("gradients") is False:
            del one["gradient"]
    return say(message, results=found)


serve(run, start=lambda message: say(message, **{**START, **start}))
