"""
THE table of keywords. The parser knows none of them by name: it reads their rows.

A new keyword is one row in a ``table_*.py`` of this package, or one ``TABLE.add(row)`` of a plug-in at start-up.
"""

from __future__ import annotations

from actors.basic.keywords.row import (
    CONTINUES_QUERY,
    HEAR_TYPES,
    MANY,
    Clause,
    Effect,
    KeywordTable,
    Row,
    Use,
)
from actors.basic.keywords.table_conversation import ROWS as CONVERSATION
from actors.basic.keywords.table_data import ROWS as DATA
from actors.basic.keywords.table_office import ROWS as OFFICE

__all__ = [
    "CONTINUES_QUERY",
    "HEAR_TYPES",
    "MANY",
    "TABLE",
    "Clause",
    "Effect",
    "KeywordTable",
    "Row",
    "Use",
]

TABLE = KeywordTable([*CONVERSATION, *DATA, *OFFICE])
