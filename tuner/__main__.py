"""The command `tuner`, and `python -m tuner`."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it quietly, even while it is still being imported."""
    try:
        from tuner.cli.app import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
