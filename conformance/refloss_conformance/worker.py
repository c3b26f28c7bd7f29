"""The process that does jobs for `processes.py`: a line of JSON for each on stdin, and one with its row on stdout."""

import json
import sys
from dataclasses import asdict

from .own_rows import Job, row_of


def main() -> int:
    for line in sys.stdin:
        backend, name, dtypes = json.loads(line)
        print(json.dumps(asdict(row_of(Job(backend, name, tuple(dtypes))))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
