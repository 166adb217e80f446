"""Rows: data and tables, HTTP, files and the drive."""

from __future__ import annotations

from actors.basic.keywords.row import MANY, Clause, row

__all__ = ["ROWS"]

_WHERE = Clause("where", "condition", own_line=True)
_ORDER = Clause("order by", "columns", own_line=True)
_LIMIT = Clause("limit", "value", own_line=True)
_WITH_PAIRS = Clause("with", "pairs")
_FIND = (_WHERE, _ORDER, _LIMIT, Clause("first", "none"), Clause("with"))


def _is_config(expression: object) -> bool:
    return getattr(expression, "value", None) == "config"


ROWS = (
    # Data and tables
    row("find", "q", 1, 3, *_FIND, use="both", bare=[0]),
    row("find all", "q", 1, 3, *_FIND, use="both", bare=[0]),
    row("save", "q", 1, MANY, _WITH_PAIRS, use="both", bare=[0]),
    row("save from unstructured", "q", 2, use="both", bare=[0]),
    row("insert", "q", 2, MANY, use="both", bare=[0]),
    row("insert into", "q", 1, MANY, Clause("values"), _WITH_PAIRS, use="both", bare=[0]),
    row("update", "q", 1, MANY, Clause("set", "pairs"), _WITH_PAIRS, _WHERE, use="both", bare=[0]),
    row("delete", "q", 1, 2, use="both", bare=[0]),
    row("delete from", "q", 1, 1, _WHERE, use="both", bare=[0]),
    row("merge", "q", 1, 3, Clause("with"), Clause("by"), use="both", bare=[0]),
    row("query", "q", 1, use="both"),
    row("query metrics", "q", 1, 1, Clause("for"), Clause("by"), Clause("offset"), use="both", bare=[0]),
    row("filter", "p", 1, 2, _WHERE, use="both"),
    row("map", "p", 2, use="both"),
    row(
        "aggregate",
        "q",
        1,
        4,
        Clause("sum", "word"),
        Clause("avg", "word"),
        Clause("average", "word"),
        Clause("count", "word"),
        Clause("min", "word"),
        Clause("max", "word"),
        _WHERE,
        use="both",
        bare=[0, 1, 2],
    ),
    row("join", "p", 3, use="both"),
    row("group by", "p", 2, use="expression"),
    row("pivot", "p", 3, 5, use="expression"),
    row("sort", "p", 1, 3, Clause("by", "columns"), use="expression"),
    row("first", "p", 1, 2, use="expression", works=True),
    row("last", "p", 1, 2, use="expression", works=True),
    row("append", "s", 1, 2, Clause("with"), works=True),
    row("push", "s", 2, works=True),
    row("fill", "q", 1, 2, use="both"),
    row("new object", "p", 0, use="expression", works=True),
    row("new array", "p", 0, use="expression", works=True),
    row("create object", "p", 0, use="expression", works=True),
    row("import", "q", 1, use="both"),
    row("export", "q", 2, use="both", bare=[0]),
    row("synchronize", "q", 2, 5, use="both", bare=[1]),
    row("search", "q", 2, 3, use="both", bare=[0]),
    row("reset report", "s", 0),
    row("product", "q", 1, use="expression"),
    row("search products", "q", 1, 2, use="expression"),
    row("scan barcode", "q", 1, use="expression"),
    # Functions that are also written without parentheses
    row("max", "p", 1, 2, use="expression", function="max"),
    row("min", "p", 1, 2, use="expression", function="min"),
    row("dateadd", "p", 3, use="expression", function="dateadd"),
    row("datediff", "p", 2, 3, use="expression", function="datediff"),
    row("is numeric", "p", 1, use="expression", function="isnumeric"),
    # HTTP
    row("get", "q", 1, 2, use="expression", bare=[0], more=_is_config, works=True),
    row("post", "q", 1, MANY, _WITH_PAIRS, use="both"),
    row("put", "q", 1, MANY, _WITH_PAIRS, use="both"),
    row("patch", "q", 1, MANY, _WITH_PAIRS, use="both"),
    row("delete http", "q", 1, use="both"),
    row("set header", "s", 2, joins="= as"),
    row("clear headers", "s", 0),
    row("graphql", "q", 2, 3, use="both"),
    row("soap", "q", 2, 3, use="both"),
    row("webhook post", "m", 1, 2, _WITH_PAIRS),
    row("download", "q", 1, 2, use="both", joins="to"),
    row("scrape", "q", 2, use="both"),
    row("scrape all", "q", 2, use="both"),
    row("scrape table", "q", 1, 2, use="both"),
    row("scrape links", "q", 1, use="both"),
    row("scrape images", "q", 1, use="both"),
    row("rss", "q", 1, 2, use="both"),
    row("get tool param", "s", 1, use="expression", bare=[0]),
    row("get last", "s", 1, use="expression"),
    # Files and the drive
    row("read", "q", 1, 1, Clause("as", "word"), use="both"),
    row("write", "q", 1, 2, Clause("as", "word"), Clause("append", "none"), joins="to"),
    row("list", "q", 1, 1, Clause("filter"), Clause("recursive", "none"), use="both"),
    row("dir", "q", 1, use="both"),
    row("copy", "q", 2, use="both", joins="to"),
    row("move", "q", 2, use="both", joins="to"),
    row("delete file", "q", 1, use="both"),
    row("upload", "q", 1, 2, use="both", joins="to"),
    row("compress", "q", 2, use="both", joins="to"),
    row("extract", "q", 2, use="both", joins="to"),
    row("generate pdf", "q", 1, 3, Clause("with template"), Clause("data"), use="both"),
    row("merge pdf", "q", 2, use="both", joins="to"),
    row(
        "generate secure link",
        "q",
        1,
        1,
        Clause("expires"),
        Clause("days", "none"),
        Clause("hours", "none"),
        use="both",
    ),
    row("generate code", "p", 1, use="both"),
    row("qr code", "q", 1, 3, use="both"),
    row("play", "q", 1, 1, Clause("with options")),
    row("stop play", "q", 0),
    row("pause", "q", 0),
    row("resume", "q", 0),
    row("card", "q", 2, 4, Clause("to", "target"), use="both"),
)
