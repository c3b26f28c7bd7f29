"""The process in which a framework's backend runs: one line of JSON for each loss on stdout."""

import json
import sys
from dataclasses import asdict

from .backends import BACKENDS
from .own import measure


def main(arguments: list[str]) -> int:
    backend, dtypes, *losses = arguments
    for name in losses:
        print(json.dumps(asdict(measure(BACKENDS[backend], name, dtypes.split(",")))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
