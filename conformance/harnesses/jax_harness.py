"""A refloss harness in JAX: refloss check --command "python jax_harness.py" --as ciou_loss

Your own losses take the place of jax_losses.py; jax.vjp differentiates them.
"""

import json
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax_losses import LOSSES

jax.config.update("jax_enable_x64", True)


def answer(message):
    if message["cmd"] == "start":
        if message["protocol"] != 1:
            return {"errored": True, "message": f"unknown protocol {message['protocol']}"}
        return {
            "name": "jax_harness.py", "version": jax.__version__, "language": "Python", "losses": list(LOSSES),
            "flushes_subnormals": True,
        }  # fmt: skip
    first, second = map(np.array, message["inputs"].values())
    first, second = first.astype(message["dtype"]), second if second.dtype.kind == "i" else second.astype(message["dtype"])
    count, (first, second) = len(first), (np.resize(x, (64, *x.shape[1:])) for x in (first, second))  # JAX compiles for each shape
    parameters = {name: math.inf if value == "inf" else value for name, value in message["parameters"].items()}
    value, back = jax.vjp(lambda x: LOSSES[message["loss"]](x, second, **parameters), first)
    (gradient,) = back(jnp.ones_like(value))
    value, gradient = value[:count], gradient[:count]
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
