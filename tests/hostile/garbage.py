"""Prints what is no JSON: before its first answer, or in place of answers. Each start leaves a mark in the file that may be named."""

import pathlib
import sys

from honest import serve

for name in sys.argv[2:]:
    with pathlib.Path(name).open("a") as file:
        file.write("started\n")
if sys.argv[1] == "greeting":
    print("Loading the model ... done", flush=True)
    serve()
else:
    serve(lambda message: print(f"loss = {message['count']}", flush=True))
