"""A bot's own style sheet, made safe to serve: it may change how the chat looks, and reach nothing else."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_BYTES", "safe_css"]

MAX_BYTES: Final = 65_536

# Whatever can make a browser fetch something, run something, or read another file. A sheet that has it, even in
# disguise, is not cut to pieces but refused as a whole: half a rule may mean something else.
_FORBIDDEN: Final = re.compile(
    r"@import|@charset|@namespace|@font-face|url\s*\(|image-set\s*\(|image\s*\(|src\s*\(|expression\s*\(|javascript:"
    r"|behavior\s*:|-moz-binding|</|<!--",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)


def safe_css(css: str) -> str:
    """
    *css* if it is harmless, else a comment that says why it is not used.

    Escapes (backslashes) are refused as well, since they can spell any of the forbidden words.
    """
    if not css.strip():
        return ""
    if len(css.encode("utf-8", "replace")) > MAX_BYTES:
        return f"/* The theme is not used: it is larger than {MAX_BYTES} bytes. */\n"
    # Comments go first: browsers see nothing in them, so a word must not hide between two.
    bare = _COMMENT.sub(" ", css)
    if "\\" in bare:
        return "/* The theme is not used: it contains a backslash. */\n"
    if found := _FORBIDDEN.search(bare):
        word = found.group().replace("*", "").replace("/", "")
        return f"/* The theme is not used: {word!r} is not allowed in a theme. */\n"
    return bare.strip() + "\n"
