"""Closes one of its pipes, and stays: standard input (nothing is read any more) or standard output."""

import os
import sys
import time

from honest import START, say

message = {"seq": 0}
sys.stdin.readline()
say(message, **START)
os.close(0 if sys.argv[1] == "stdin" else 1)
time.sleep(3600)
