"""A refloss harness in torch: refloss check --command "python torch_harness.py" --as ciou_loss

Your own losses take the place of torch_losses.py; autograd differentiates them.
"""

import json
import math
import sys

import torch
from torch_losses import LOSSES


def answer(message):
    if message["cmd"] == "start":
        if message["protocol"] != 1:
            return {"errored": True, "message": f"unknown protocol {message['protocol']}"}
        return {"name": "torch_harness.py", "version": torch.__version__, "language": "Python", "losses": list(LOSSES)}
    dtype = getattr(torch, message["dtype"])
    first, second = (torch.tensor(x, dtype=torch.float64) for x in message["inputs"].values())
    first, second = first.to(dtype).requires_grad_(), second.long() if "labels" in message["inputs"] else second.to(dtype)
    parameters = {name: math.inf if value == "inf" else value for name, value in message["parameters"].items()}
    value = LOSSES[message["loss"]](first, second, **parameters)
    (gradient,) = torch.autograd.grad(value.sum(), first)
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
