"""Answers NaN where the value is not 0: as a bare NaN, as a text, or as null."""

import sys

from honest import results, say, serve

NAN = {"bare": float("nan"), "text": "nan", "null": None}[sys.argv[1]]


def run(message):
    say(message, results=[{**one, "value": NAN if one["value"] else 0} for one in results(message)])


serve(run)
