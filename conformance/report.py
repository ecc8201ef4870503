"""One line for each check, and at the end `N passed, N failed`: what every suite here prints and `run.py` reads."""

from __future__ import annotations


class Report:
    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, name: str, problem: str = "") -> None:
        """Passed if there is no problem to tell."""
        if problem:
            self.failed += 1
            print(f"failed: {name}: {problem}")
        else:
            self.passed += 1
            print(f"passed: {name}")

    def skip(self, name: str, reason: str) -> None:
        print(f"skipped: {name}: {reason}")

    def add(self, passed: int, failed: int) -> None:
        self.passed += passed
        self.failed += failed

    def finish(self) -> int:
        """Prints the totals; the exit status."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
