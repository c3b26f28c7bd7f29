"""What the tests of mutants found, in a few lines at the end of the log."""

from collections import Counter, defaultdict
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, value in report.user_properties:
                    if name.startswith("mutants "):
                        _, group, *rest = name.split(" ", 3)
                        counts[group][" ".join(rest)] += value
    if not counts:
        return
    terminalreporter.section("mutants")
    for group, found in counts.items():
        terminalreporter.write_line(f"{group}: " + ", ".join(f"{name} {count}" for name, count in sorted(found.items())))
