"""Answers of the wrong shape: a mean for all cases, one result too many, lists for numbers, no gradient, or a bare list."""

import sys

from honest import results, say, serve


def run(message):
    found = results(message)
    spoiled = {
        "mean": found[:1], "more": [*found, found[0]], "lists": [{**one, "value": [one["value"]]} for one in found],
        "values": [{"value": one["value"]} for one in found], "numbers": [one["value"] for one in found], "none": None,
        "texts": [{**one, "gradient": "1.0"} for one in found], "true": [{**one, "gradient": True} for one in found],
    }  # fmt: skip
    say(message, results=spoiled[sys.argv[1]])


serve(run)
