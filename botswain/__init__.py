"""The command line, the settings and the compositions: the only place that sees everything."""
