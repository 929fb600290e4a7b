"""``python -m oulib``, and the command ``oulib``."""

import signal
import sys

# Whoever interrupts a program that has hardly begun wants no traceback of its imports: until the
# command line is there to answer, the system ends the process.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run one command; returns the exit status."""
    from oulib.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
