"""A program as a child process that cannot hold the checker up, whatever it does.

Three threads move bytes (to it, from it, and from its standard error), so that no full pipe blocks; every wait has a deadline; the
program has a session of its own and is killed with all that it started and that stayed in its process group. What it prints is bounded
in memory.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

from ..errors import UsageError
from .messages import Fault, tidy

LONGEST_LINE = 1_000_000  # bytes of an answer
MOST_HELD = 16_000_000  # bytes printed and not yet read
LINE = 64  # bytes that a line costs beyond its own
TAIL = 2_000  # bytes of standard error that are kept
GRACE = 0.25  # seconds for a dead program's last bytes, which may never end if its children hold the pipe
LEAVE = 0.05  # seconds for a thread to see that its pipe is closed, which a process that got away may hold open
BURIAL = 2.0  # seconds for a killed program to be gone
FLOOD = f"it prints a line of over {LONGEST_LINE // 10**6} MB, or {MOST_HELD // 10**6} MB that nobody asked for"


class Lines:
    """The lines that a program prints."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._news = stream, threading.Condition()
        self._lines: deque[bytes] = deque()
        self._held, self.rest, self.ended = 0, b"", ""  # ended: "", "eof" or "flood"
        self.thread = _thread(self._read)

    def _read(self) -> None:
        pending = bytearray()
        ended = "eof"
        with self._stream, contextlib.suppress(OSError):
            while chunk := os.read(self._stream.fileno(), 1 << 16):
                *lines, last = chunk.split(b"\n")
                if lines:
                    lines[0] = bytes(pending) + lines[0]
                    pending.clear()
                pending += last
                with self._news:
                    self._lines.extend(lines)
                    self._held += sum(map(len, lines)) + LINE * len(lines)
                    self._news.notify()
                    if len(pending) > LONGEST_LINE or self._held > MOST_HELD:
                        ended = "flood"
                        break
        with self._news:
            self.rest, self.ended = bytes(pending[:100]), ended
            self._news.notify()

    def take(self, seconds: float) -> bytes | None:
        """The next line, if there is one in time."""
        with self._news:
            self._news.wait_for(lambda: self._lines or self.ended, timeout=max(0.0, seconds))
            if not self._lines:
                return None
            line = self._lines.popleft()
            self._held -= len(line) + LINE
            return line


class Session:
    """A running program; use it in a `with`, which leaves nothing running behind."""

    def __init__(self, words: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, start_new_session=True
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"--command {words[0]}: it cannot be run ({why.lower()}); for ~, variables and pipes, sh -c '...'") from None
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self.lines = Lines(self._process.stdout)
        self._said = b""
        self._letters: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [self.lines.thread, _thread(self._write, self._process.stdin), _thread(self._listen, self._process.stderr)]

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()

    def _write(self, stream: IO[bytes]) -> None:
        """Blocks as long as the program does not read, and ends when it is gone."""
        with contextlib.suppress(OSError), stream:
            while (letter := self._letters.get()) is not None:
                view = memoryview(letter)
                while view:
                    view = view[stream.write(view) or 0 :]

    def _listen(self, stream: IO[bytes]) -> None:
        with stream, contextlib.suppress(OSError):
            while chunk := os.read(stream.fileno(), 1 << 16):
                self._said = (self._said + chunk)[-TAIL:]

    def ask(self, message: bytes, seconds: float) -> bytes:
        """Sends a message; answers the next line, or a Fault that says what came in its place."""
        self._letters.put(message)
        deadline, dead = time.monotonic() + seconds, float("inf")
        while True:
            now = time.monotonic()
            line = self.lines.take(min(deadline - now, dead - now, 0.05))
            if line is not None:
                return line
            if self.lines.ended == "flood":
                raise Fault("flooded", FLOOD)
            if self.lines.ended or now > dead:
                raise self._gone()
            if self._process.poll() is not None and dead == float("inf"):
                dead = time.monotonic() + GRACE
            elif now > deadline:
                raise Fault(
                    "hung", f"no answer within {seconds:g} s; is standard output flushed after each line, and --timeout long enough?"
                )

    def _gone(self) -> Fault:
        """Its output ended: why?"""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        how, code = self._how(), self._process.returncode
        if self.lines.rest:
            return Fault("truncated", f"it {how} in the middle of a line{self.tail()}")
        return Fault("exited" if code in (0, None) else "crashed", f"it {how} in place of an answer{self.tail()}")

    def _how(self) -> str:
        code = self._process.returncode
        if code is None:
            return "closed its standard output"
        if code >= 0:
            return f"ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
        return f"was ended by signal {-code}"

    def tail(self) -> str:
        """The last line of its standard error, for a sentence."""
        self._threads[-1].join(LEAVE)
        lines = [line for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        return f"; its last words: {tidy(lines[-1])[:200]}" if lines else ""

    def stop(self, message: bytes, seconds: float) -> list[tuple[str, str]]:
        """Asks it to end. What it does wrong in that is (name, sentence), and touches no number."""
        self._letters.put(message)
        self._letters.put(None)
        found = []
        try:
            if self._process.wait(seconds):
                found = [("exits_with_error", f"after stop it {self._how()}")]
            elif self._signal(0):
                found = [("leaves_children", "processes that it started outlive it")]
        except subprocess.TimeoutExpired:
            found = [("lingers", f"it does not exit within {seconds:g} s of stop")]
        self.kill()
        return [("floods", FLOOD)] if self.lines.ended == "flood" else found

    def kill(self) -> None:
        """Ends it, and what it started that is still in its process group."""
        self._letters.put(None)
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        with contextlib.suppress(OSError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(BURIAL)
        for thread in self._threads:  # each closes its own pipe
            thread.join(LEAVE)

    def _signal(self, number: int) -> bool:
        """To the whole group; whether there was one."""
        if sys.platform == "win32":
            return False
        try:
            os.killpg(self._process.pid, number)
        except OSError:
            return False
        return True


def _thread(function: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True, name="refloss program")
    thread.start()
    return thread
