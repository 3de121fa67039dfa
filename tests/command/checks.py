"""checks.py - what the command's tests in Python count: those that passed, and those that failed with a line each."""
import sys

passed = failed = 0


def check(name, right, why=""):
    global passed, failed
    passed, failed = passed + bool(right), failed + (not right)
    if not right:
        print(f"FAILED: {name}{': ' if str(why) else ''}{why}")


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)
