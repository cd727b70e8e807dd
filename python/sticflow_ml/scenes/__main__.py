"""Commands of the embedded world: `python -m sticflow_ml.scenes build|pretrain ...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sticflow_ml.scenes.data import DataFolderError, DataSettings, build


def _natural(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return number


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sticflow_ml.scenes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("build", help="write the data set's files")
    data.add_argument("--out", type=Path, required=True, help="folder to write; skipped if it is already complete")
    data.add_argument("--seed", type=int, default=0, help="seed of the world (default: %(default)s)")
    data.add_argument("--images", type=_natural, default=480, help="number of unlabelled images (default: %(default)s)")
    return parser


def main() -> int:
    """Run one command; return the exit code."""
    arguments = _arguments().parse_args()
    try:
        outcome = build(arguments.out, DataSettings(seed=arguments.seed, num_unlabelled=arguments.images))
    except DataFolderError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"data: {arguments.out} ({outcome})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
