"""A refloss harness in TensorFlow: refloss check --command "python tensorflow_harness.py" --as ciou_loss

Your own losses take the place of tensorflow_losses.py; a GradientTape differentiates them.
"""

import json
import math
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its greetings on standard error would hide what matters there

import tensorflow as tf
from tensorflow_losses import LOSSES


def answer(message):
    if message["cmd"] == "start":
        if message["protocol"] != 1:
            return {"errored": True, "message": f"unknown protocol {message['protocol']}"}
        return {
            "name": "tensorflow_harness.py", "version": tf.__version__, "language": "Python", "losses": list(LOSSES),
            "flushes_subnormals": True,
        }  # fmt: skip
    first, second = message["inputs"].values()
    first, second = (
        tf.constant(first, message["dtype"]),
        tf.constant(second, "int32" if "labels" in message["inputs"] else message["dtype"]),
    )
    parameters = {name: math.inf if value == "inf" else value for name, value in message["parameters"].items()}
    with tf.GradientTape() as tape:
        tape.watch(first)
        value = LOSSES[message["loss"]](first, second, **parameters)
    gradient = tape.gradient(value, first).numpy().tolist()
    return {"results": [{"value": plain(v), "gradient": plain(g)} for v, g in zip(value.numpy().tolist(), gradient, strict=True)]}


def plain(x):  # JSON has no NaN and no infinity
    return [plain(y) for y in x] if isinstance(x, list) else x if math.isfinite(x) else str(x)


for line in sys.stdin:
    message = json.loads(line)
    if message["cmd"] == "stop":
        break
    try:
        found = answer(message)
    except Exception as error:
        found = {"errored": True, "message": repr(error)}
    print(json.dumps({"seq": message["seq"], **found}), flush=True)
