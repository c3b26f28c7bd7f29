"""A right program for l1_loss, whose parts the hostile ones spoil."""

import json
import sys

START = {"name": "honest", "version": "1", "language": "Python", "losses": ["l1_loss"]}


def say(message, /, **answer):
    print(json.dumps({"seq": message["seq"], **answer}), flush=True)


def results(message):
    inputs = message["inputs"]
    differences = [p - t for p, t in zip(inputs["predictions"], inputs["targets"], strict=True)]
    return [{"value": abs(d), "gradient": (d > 0) - (d < 0)} for d in differences]


def serve(run=lambda message: say(message, results=results(message)), start=lambda message: say(message, **START), stop=lambda: None):
    for line in sys.stdin:
        message = json.loads(line)
        if message["cmd"] == "stop":
            return stop()
        (start if message["cmd"] == "start" else run)(message)
    return None


if __name__ == "__main__":
    serve()
