"""Writes its name in Latin-1."""

import sys

from honest import serve


def run(message):
    sys.stdout.buffer.write(f'{{"seq":{message["seq"]},"skipped":true,"reason":"für später"}}\n'.encode("latin-1"))
    sys.stdout.buffer.flush()


serve(run)
