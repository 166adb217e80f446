"""``python -m botswain``."""

from botswain.cli import main

main()
