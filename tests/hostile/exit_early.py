"""Ends with exit code 0 at the first question, or before the first."""

import sys

from honest import serve

if sys.argv[1] == "run":
    serve(lambda message: sys.exit(0))
