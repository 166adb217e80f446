"""One module a family of commands. ``botswain/cli.py`` imports one when its command is called, not before."""
