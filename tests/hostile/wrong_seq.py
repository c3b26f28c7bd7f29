"""Answers the question before."""

from honest import results, say, serve

serve(lambda message: say({"seq": message["seq"] - 1}, results=results(message)))
