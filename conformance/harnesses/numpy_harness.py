"""A refloss harness in NumPy: refloss check --command "python numpy_harness.py" --as ciou_loss

Your own losses take the place of numpy_losses.py.
"""

import json
import math
import sys

import numpy as np
from numpy_losses import LOSSES


def answer(message):
    if message["cmd"] == "start":
        if message["protocol"] != 1:
            return {"errored": True, "message": f"unknown protocol {message['protocol']}"}
        return {"name": "numpy_harness.py", "version": np.__version__, "language": "Python", "losses": list(LOSSES)}
    first, second = (np.array(x) for x in message["inputs"].values())
    first, second = (x if x.dtype.kind == "i" else x.astype(message["dtype"]) for x in (first, second))
    parameters = {name: math.inf if value == "inf" else value for name, value in message["parameters"].items()}
    with np.errstate(all="ignore"):  # both sides of np.where are computed
        value, gradient = LOSSES[message["loss"]](first, second, **parameters)
    return {"results": [{"value": plain(v), "gradient": plain(g)} for v, g in zip(value.tolist(), gradient.tolist(), strict=True)]}


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
