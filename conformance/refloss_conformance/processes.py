"""A second process that does jobs of `refloss check`: it is told each one by a line of JSON, and answers with a row."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from .own_rows import Job, Row, Worst


@dataclass
class Process:
    """`worker.py`, running."""

    running: subprocess.Popen[str]
    noise: IO[str]  # what it writes to stderr

    def row(self, job: Job) -> Row | None:
        """What comes of a job; None if the process has ended."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        try:
            self.running.stdin.write(json.dumps(job) + "\n")
            self.running.stdin.flush()
        except OSError:
            return None
        for line in self.running.stdout:
            try:
                data = json.loads(line)
                return Row(**{**data, "worst": [Worst(**one) for one in data["worst"]]})
            except (ValueError, TypeError, KeyError):  # something else that was written there
                continue
        return None

    def end(self) -> str:
        """Let it end; say how it ended."""
        self.running.communicate()
        self.noise.seek(0)
        said = self.noise.read().strip().splitlines()
        return f"its process ended with code {self.running.returncode}: {said[-1] if said else 'no message'}"


@contextmanager
def started(environment: Mapping[str, str]) -> Iterator[Process]:
    """A process with these environment variables; it ends with the block."""
    variables = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-m", "refloss_conformance.worker"]  # -P: this folder may hold another refloss
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+", errors="replace") as noise,
        subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe, stderr=noise, text=True, errors="replace") as running,
    ):
        yield Process(running, noise)
