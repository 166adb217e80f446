"""
Bots from folders: read, checked, published, and watched for changes.

A folder ``NAME.gbai`` becomes a ``BotPackage`` (``schemas/package.py``), whose version is the hash of its content.
"""
