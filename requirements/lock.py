"""Writes the lock files: every version with its hashes, for every platform, and no index address."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMON = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--custom-compile-command=make lock",
    "--quiet",
    "--upgrade",
]


def compile_lock(output: str, *options: str) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *COMMON, *options]
    command.append(f"--output-file={output}")
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603  a fixed command


if __name__ == "__main__":
    compile_lock("requirements/run.txt", "--extra=kafka")
    # what both have, both have in the same version
    compile_lock("requirements/dev.txt", "--extra=kafka", "--group=dev", "--constraint=requirements/run.txt")
