"""Third-party implementations, and how they are checked: `python -m harnesses.run` in the conformance folder."""
