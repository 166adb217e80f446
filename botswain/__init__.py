"""The command line, the settings and the compositions: the only place that sees everything."""

from typing import Final

__version__: Final = "0.1.0"
