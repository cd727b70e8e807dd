"""Commands of the embedded world: `python -m sticflow_ml.scenes build|pretrain ...`."""

from __future__ import annotations

import argparse
import logging
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
    data.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder to write; verified and kept if already complete",
    )
    data.add_argument(
        "--seed", type=int, default=0, help="seed of the world (default: %(default)s)"
    )
    data.add_argument(
        "--images",
        type=_natural,
        default=480,
        help="number of unlabelled images (default: %(default)s)",
    )
    data.set_defaults(run=_build)

    base = commands.add_parser("pretrain", help="make the base model and measure its gates")
    base.add_argument("--out", type=Path, required=True, help="new folder for the model")
    base.add_argument(
        "--seed", type=int, default=0, help="seed of weights and data (default: %(default)s)"
    )
    base.add_argument(
        "--threads",
        type=_natural,
        default=1,
        help="part of the result's identity (default: %(default)s)",
    )
    base.add_argument(
        "--smoke",
        action="store_true",
        help="a few steps only, to test the way; the gates do not count",
    )
    base.set_defaults(run=_pretrain)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    try:
        outcome = build(
            arguments.out, DataSettings(seed=arguments.seed, num_unlabelled=arguments.images)
        )
    except DataFolderError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"data: {arguments.out} ({outcome})\n")
    return 0


def _pretrain(arguments: argparse.Namespace) -> int:
    # `build` has to start fast: torch is imported only here.
    from sticflow_ml.scenes.pretrain import FULL, SMOKE, pretrain

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    schedule = SMOKE if arguments.smoke else FULL
    try:
        report = pretrain(
            arguments.out, seed=arguments.seed, threads=arguments.threads, schedule=schedule
        )
    except FileExistsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for gate in report["gates"]:
        verdict = "passed" if gate["passed"] else "FAILED"
        sys.stdout.write(
            f"gate: {gate['name']}: {gate['value']:.3f}, {gate['passes_when']} {gate['bound']:.3f}: {verdict}\n"
        )
    sys.stdout.write(f"model: {arguments.out} sha256 {report['model_sha256']}\n")
    return 0 if arguments.smoke or all(gate["passed"] for gate in report["gates"]) else 1


def main() -> int:
    """Run one command; return the exit code: 0 done, 1 a gate failed, 2 a wrong argument."""
    arguments = _arguments().parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
