"""What each form of the language means: source, and the plain source of the tree that the parser makes of it."""

from __future__ import annotations

import pytest

from actors.basic import nodes
from actors.basic.errors import ScriptErrors
from actors.basic.keywords import HEAR_TYPES, TABLE, Clause, KeywordTable, Row
from actors.basic.keywords.handlers import HANDLERS
from actors.basic.parser import parse
from actors.basic.parser.cursor import MAX_BLOCK_DEPTH, MAX_EXPRESSION_HEIGHT, MAX_NESTING
from actors.basic.printer import print_script, same


def plain(source: str) -> str:
    """The tree of *source*, printed; with the proof that the print means the same."""
    tree = parse(source, "t.bas")
    printed = print_script(tree)
    assert same(parse(printed, "t.bas"), tree)
    return printed.rstrip("\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a + b * c - d", "(a + (b * c)) - d"),
        ("-2 ^ 2", "-(2 ^ 2)"),
        ("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)"),
        ("a OR b AND NOT c = d", "a OR (b AND (NOT (c = d)))"),
        ("a = 1 OR b <> 2 && c != 3 || d == 4", "((a = 1) OR ((b <> 2) AND (c <> 3))) OR (d = 4)"),
        ("a ?? b + 1 > 3", "(a ?? (b + 1)) > 3"),
        ("c ? 1 : d ? 2 : 3", "IIF(c, 1, IIF(d, 2, 3))"),
        (
            'a NOT LIKE "%x" AND b NOT IN (1, 2) AND c NOT BETWEEN 1 AND 2 + 3',
            '((NOT (a LIKE "%x")) AND (NOT (b IN [1, 2]))) AND (c NOT BETWEEN 1 AND (2 + 3))',
        ),
        ("a IS NULL OR b IS NOT NULL", "(a IS NULL) OR (b IS NOT NULL)"),
        (
            'a STARTS WITH "x" AND b ENDS WITH "y" OR c CONTAINS "z"',
            '((a STARTS WITH "x") AND (b ENDS WITH "y")) OR (c CONTAINS "z")',
        ),
        ('a MOD 3 \\ 2 % 4 & "x"', '(((a % 3) \\ 2) % 4) & "x"'),
        ("first + 1", "first + 1"),
        ("first = 2", "first = 2"),
        ("list[0] + filter", "list[0] + filter"),
        ("FIRST rows", "FIRST rows"),
        ("FIRST [1, 2]", "FIRST [1, 2]"),
        ("filter", "filter"),
        ('FILTER rows, "a > 1"', 'FILTER rows, "a > 1"'),
        ('GET "a.b" = "vip" OR GET "a.b" = "gold"', '((GET "a.b") = "vip") OR ((GET "a.b") = "gold")'),
        ('GET BOT MEMORY("k") + "!"', '(GET BOT MEMORY "k") + "!"'),
        ('GET_BOT_MEMORY("k").name[0]', '(GET BOT MEMORY "k").name[0]'),
        ('get_bot_memory "k"', 'GET BOT MEMORY "k"'),
        ('GET "config", "key"', 'GET "config", "key"'),
        ('FORMAT (a - b) AS "#,##0"', 'FORMAT(a - b, "#,##0")'),
        (
            '"N-" + FORMAT NOW() AS "YYYY" + "-" + FORMAT RANDOM(1,9)',
            '(("N-" + (FORMAT(now(), "YYYY"))) + "-") + (FORMAT(random(1, 9)))',
        ),
        ('FORMAT(d, "DD") + FORMAT x AS JSON', '(FORMAT(d, "DD")) + (FORMAT(x) AS JSON)'),
        ('FORMAT n, "#,##0"', 'FORMAT(n, "#,##0")'),
        ('{"who": GET SESSION "user_email", "at": NOW()}', '{"who": (GET SESSION "user_email"), "at": now()}'),
        ("#{a: 1, b: [1, 2,], c: {},}", '{"a": 1, "b": [1, 2], "c": {}}'),
        ("NEW OBJECT", "NEW OBJECT"),
        ("KB STATISTICS", "KB STATISTICS"),
        ('LLM "a" + b', 'LLM ("a" + b)'),
        ("IIF(a, 1, 2) + IF(b, 3, 4)", "IIF(a, 1, 2) + IIF(b, 3, 4)"),
        ("a?.b.c?.d(1)", "a?.b.c?.d(1)"),
        ('CALL "other.bas", 1, y', 'CALL "other.bas", 1, y'),
        ("CALL helper(1, 2)", "helper(1, 2)"),
        ("SELECT a, b FROM t WHERE a = 'x' ORDER BY b", "SELECT a, b FROM t WHERE a = 'x' ORDER BY b"),
        ("MAX a, b", "max(a, b)"),
        ("0x48 + 1e3 + 0.33", "(72 + 1000.0) + 0.33"),
        ('"a ${b + "c"} ${{d}} \\${e} ""q"" \\n"', '"a ${b + "c"} \\${{d}} \\${e} \\"q\\" \\n"'),
        ("'it''s ${raw}'", '"it\'s \\${raw}"'),
        ('LLM "a" WITH OPTIMIZE FOR "speed" WITH MAX_COST 3', 'LLM "a" WITH OPTIMIZE FOR "speed" WITH MAX COST 3'),
        ('FIND "people", "id=7"', 'FIND "people", "id=7"'),
        ('FIND "people" WITH "id=7"', 'FIND "people" WITH "id=7"'),
        ("FIND ALL people WHERE a = 1", "FIND ALL people WHERE (a = 1)"),
        ("SORT L BY a DESC", "SORT l BY a DESC"),
        ("GET QUEUE", "GET QUEUE"),
        ("NOW", "now"),
        ("ERROR MESSAGE", "ERROR MESSAGE"),
        ("error_message", "ERROR MESSAGE"),
        ("LIST TOOLS", "LIST TOOLS"),
        ("[FIRST a, 2]", "[(FIRST a, 2)]"),
        ("MAX(FIRST a, 2)", "max((FIRST a, 2))"),
        ('(LLM "q").field', '(LLM "q").field'),
        ("NOT NOT a", "NOT (NOT a)"),
        ("a IN b", "a IN b"),
        ('"multi\n line"', '"multi\\n line"'),
        ("foo(1,\n   2)", "foo(1, 2)"),
    ],
)
def test_expressions(source: str, expected: str) -> None:
    assert plain(f"x = {source}") == f"x = {expected}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = HEAR", "HEAR x"),
        ('x = HEAR "name?"', 'HEAR x WITH "name?"'),
        ("x$ = Y$ + 1", "x = y + 1"),
        ("x += 1", "x += 1"),
        ("a.b[1].c -= 2", "a.b[1].c -= 2"),
        ("LET x = 5", "x = 5"),
        ("SET x = 5", "x = 5"),
        ("CONST x = 5", "x = 5"),
        ("SET x.f = v", "x.f = v"),
        ('SET "session.k", v', 'SET "session.k", v'),
        ('SET "session.k" = v', 'SET "session.k", v'),
        ("SET name, v", "SET name, v"),
        ('SET t, filter, "a=v"', 'SET t, filter, "a=v"'),
        ('SET HEADER "k" = v', 'SET HEADER "k", v'),
        ("SET HEADER k AS v", "SET HEADER k, v"),
        ('SET BOT MEMORY "cat", idea', 'SET BOT MEMORY "cat", idea'),
        ('SET SESSION "k", v', 'SET SESSION "k", v'),
        ('SET SESSION sid, "k", v', 'SET SESSION sid, "k", v'),
        ('SET CONTEXT "be nice"', 'SET CONTEXT "be nice"'),
        ('SET CONTEXT sales AS "sell"', 'SET CONTEXT sales, "sell"'),
        ("SET USER id", "SET USER id"),
        ("update = #{}", "update = {}"),
        ('case.status = "new"', 'case.status = "new"'),
        ("list.push(3)", "list.push(3)"),
        ("helper(1, 2)", "CALL helper(1, 2)"),
        ("CALL helper", "CALL helper()"),
        ("CALL helper, 1, 2", "CALL helper(1, 2)"),
        ('CALL "x.bas"', 'CALL "x.bas"'),
        ("TALK (x)", "TALK x"),
        ('TALK("x")', 'TALK "x"'),
        ("TALK(a) + b", "TALK (a + b)"),
        ('TALK TO "a:b", "hi"', 'TALK TO "a:b", "hi"'),
        ("PRINT", "PRINT"),
        ('PRINT "x";', 'PRINT "x"'),
        ("HEAR v", "HEAR v"),
        ("HEAR v AS EMAIL", "HEAR v AS EMAIL"),
        (
            'HEAR v AS INTEGER WITH "How many?" DEFAULT 3 TIMEOUT 60',
            'HEAR v AS INTEGER WITH "How many?" DEFAULT 3 TIMEOUT 60',
        ),
        ('HEAR v AS "a", "b", *', 'HEAR v AS MENU "a", "b", *'),
        ('HEAR v AS "a", "b"', 'HEAR v AS MENU "a", "b"'),
        ('HEAR v AS "prompt"', 'HEAR v WITH "prompt"'),
        ('HEAR v AS "prompt, " + name & "?"', 'HEAR v WITH (("prompt, " + name) & "?")'),
        ('HEAR v AS MENU "a", "b"', 'HEAR v AS MENU "a", "b"'),
        ("HEAR v AS MENU options", "HEAR v AS MENU options"),
        ("HEAR v AS options", "HEAR v AS MENU options"),
        ("HEAR order.name AS NAME", "HEAR order.name AS NAME"),
        ("WAIT FOR RESPONSE AS v TIMEOUT 10", "WAIT FOR RESPONSE AS v TIMEOUT 10"),
        ('SEND FILE f, "cap"', 'SEND FILE f, "cap"'),
        ('ADD SUGGESTION ctx AS "label"', 'ADD SUGGESTION ctx, "label"'),
        ('ADD SUGGESTION "label"', 'ADD SUGGESTION "label"'),
        ('ADD_SUGGESTION "label"', 'ADD SUGGESTION "label"'),
        ("CLEAR SUGGESTIONS", "CLEAR SUGGESTIONS"),
        ("USE KB docs", "USE KB docs"),
        ('USE_WEBSITE("u", "30d")', 'USE WEBSITE "u", "30d"'),
        ("ADD TOOL name AS MCP", "ADD TOOL name AS MCP"),
        (
            "FIND t WHERE email = email ORDER BY a DESC, b LIMIT 3 FIRST",
            "FIND t WHERE (email = email) ORDER BY a DESC, b LIMIT 3 FIRST",
        ),
        ('SAVE "t", o', 'SAVE "t", o'),
        ("SAVE t WITH a AS 1, b AS x + 2", 'SAVE t WITH "a" = 1, "b" = (x + 2)'),
        ("INSERT INTO t VALUES {a: 1}", 'INSERT INTO t VALUES ({"a": 1})'),
        ("INSERT INTO t WITH a = 1, b = 2", 'INSERT INTO t WITH "a" = 1, "b" = 2'),
        ("UPDATE t SET a = 1, b = b + 1 WHERE c = 3", 'UPDATE t SET "a" = 1, "b" = (b + 1) WHERE (c = 3)'),
        ("UPDATE t WITH a AS 1 WHERE b = 2", 'UPDATE t WITH "a" = 1 WHERE (b = 2)'),
        ("DELETE FROM t WHERE a = 1", "DELETE FROM t WHERE (a = 1)"),
        ('MERGE t WITH data BY "key"', 'MERGE t WITH data BY "key"'),
        ('QUERY METRICS name FOR "1h" BY "5m" OFFSET 1', 'QUERY METRICS name FOR "1h" BY "5m" OFFSET 1'),
        ('AGGREGATE "SUM", L, "f"', 'AGGREGATE "SUM", l, "f"'),
        ("APPEND L, 1", "APPEND l, 1"),
        ('APPEND s WITH "x"', 'APPEND s WITH "x"'),
        ('WRITE e TO "f.csv"', 'WRITE e, "f.csv"'),
        ('COPY "a" TO "b"', 'COPY "a", "b"'),
        ('LIST "dir" FILTER "*.x" RECURSIVE', 'LIST "dir" FILTER "*.x" RECURSIVE'),
        ("GENERATE SECURE LINK path EXPIRES 3 DAYS", "GENERATE SECURE LINK path EXPIRES 3 DAYS"),
        ('GENERATE PDF out WITH TEMPLATE "n" DATA o', 'GENERATE PDF out WITH TEMPLATE "n" DATA o'),
        ('SEND MAIL "a", "b", "c", ATTACHMENT f', 'SEND MAIL "a", "b", "c" ATTACHMENT f'),
        ('SEND MAIL TO "a" SUBJECT "b" BODY "c"', 'SEND MAIL TO "a" SUBJECT "b" BODY "c"'),
        ('SEND EMAIL "a", "b"', 'SEND EMAIL "a", "b"'),
        ('SEND TEMPLATE TO "x", "y"', 'SEND TEMPLATE TO "x", "y"'),
        ('REMEMBER "k" = 5', 'REMEMBER "k", 5'),
        ('REMEMBER "k", 5, "3 days"', 'REMEMBER "k", 5, "3 days"'),
        ('BOT SHARE MEMORY "k" WITH "bot"', 'BOT SHARE MEMORY "k" WITH "bot"'),
        ("WAIT 2.5", "WAIT 2.5"),
        ('ORCHESTRATE WORKFLOW "x"', 'ORCHESTRATE WORKFLOW "x"'),
        ('STEP 1: BOT helper "do it"', 'STEP 1: BOT helper "do it"'),
        ("ESCALATE TO SUPERVISOR", "ESCALATE TO supervisor"),
        ('ADD BOT "x" WITH TRIGGER "a,b"', 'ADD BOT "x" WITH TRIGGER "a,b"'),
        ('DELEGATE "x" TO BOT "y" TIMEOUT 3', 'DELEGATE "x" TO BOT "y" TIMEOUT 3'),
        ("TRANSFER TO HUMAN", "TRANSFER TO HUMAN"),
        ('TRANSFER TO HUMAN "sales", "high"', 'TRANSFER TO HUMAN "sales", "high"'),
        ("SET PRIORITY sid TO high", "SET PRIORITY sid, high"),
        ('NOTIFY AGENT who WITH "x"', 'NOTIFY AGENT who, "x"'),
        ('POST TO INSTAGRAM AT "when" image, "cap"', 'POST TO instagram, image, "cap" AT "when"'),
        ('POST TO INSTAGRAM, FACEBOOK image "cap"', 'POST TO instagram, facebook, (IMAGE "cap")'),
        ('RECORD METRIC "n" WITH a = 1', 'RECORD METRIC "n" WITH "a" = 1'),
        ('CARD img, "t" TO v', 'CARD img, "t" TO v'),
        ("HEAR FROM MEET INTO v", "HEAR FROM MEET INTO v"),
        ('RUN PYTHON WITH FILE "x"', 'RUN PYTHON WITH FILE "x"'),
        ("GPIO SET 5, HIGH", "GPIO SET 5, high"),
        ("IF x THEN y = 1 ELSE y = 2", "IF x THEN\n    y = 1\nELSE\n    y = 2\nEND IF"),
        ("IF x THEN RETURN", "IF x THEN\n    RETURN\nEND IF"),
        ("IF x = {} THEN y = 1", "IF x = ({}) THEN\n    y = 1\nEND IF"),
        ('IF(x) THEN TALK "a" ELSE TALK "b"', 'IF x THEN\n    TALK "a"\nELSE\n    TALK "b"\nEND IF'),
        ("RETURN WITH a AS 1, b AS x", 'RETURN {"a": 1, "b": x}'),
        ('RETURN LLM "x"', 'RETURN (LLM "x")'),
        ("EXIT FOR", "EXIT FOR"),
        ("EXIT", "EXIT"),
        ("END", "EXIT"),
        ("STOP", "EXIT"),
        ("BREAK", "BREAK"),
        ("CONTINUE", "CONTINUE"),
        ("GOTO top", "GOTO top"),
        ("top:", "top:"),
        ("ON ERROR RESUME NEXT", "ON ERROR RESUME NEXT"),
        ("ON ERROR GOTO 0", "ON ERROR GOTO 0"),
        ("ON ERROR GOTO top", "ON ERROR GOTO top"),
        ('ON EMAIL "a" FROM "b"', 'ON EMAIL "a" FROM "b"'),
        ('ON "event" CALL sub1', 'ON EVENT "event" CALL sub1'),
        ("ON INSERT OF orders", "ON INSERT OF orders"),
        ('ON CHANGE "dir" EVENTS "create"', 'ON CHANGE "dir" EVENTS "create"'),
        ('THROW "x"', 'THROW "x"'),
        ("DIM a, b(10)", "DIM a\nDIM b"),
        ('PARAM x AS "a", "b"', 'PARAM x AS "a", "b"'),
        ('PARAM x AS "what"', 'PARAM x AS STRING DESCRIPTION "what"'),
        (
            "PARAM x AS INTEGER LIKE -3 OPTIONAL DEFAULT 4 ENUM [1, 2]",
            "PARAM x AS INTEGER LIKE (-3) OPTIONAL DEFAULT 4 ENUM [1, 2]",
        ),
        ('PARAM x AS STRING ENUM ["a", -1.5, TRUE]', 'PARAM x AS STRING ENUM ["a", -1.5, TRUE]'),
        ("DESCRIPTION it's a tool", 'DESCRIPTION "it\'s a tool"'),
        ("DESCRIPTION 'quoted'", 'DESCRIPTION "quoted"'),
        ("CREATE UNIQUE INDEX i ON t (a, b)", "CREATE UNIQUE INDEX i ON t (a, b)"),
        ('SET SCHEDULE "0 * * * *"', 'SET SCHEDULE "0 * * * *"'),
        ("SET SCHEDULE EVERY day AT 9:30am", 'SET SCHEDULE "EVERY day AT 9:30am"'),
        ('SET SCHEDULE "0 * * * *" "job" 1', 'SET SCHEDULE "0 * * * *", "job", 1'),
        ('SET SCHEDULE when, "job", a', 'SET SCHEDULE when, "job", a'),
        ('WEBHOOK "order"', 'WEBHOOK "order"'),
        ("CLEAR ERROR", "CLEAR ERROR"),
        ("y = 1 // comment", "y = 1"),
        ("y = a ' comment", "y = a"),
        ("y = 'text' ' comment", 'y = "text"'),
        ('SCRAPE_ALL "u", "c"', 'SCRAPE ALL "u", "c"'),
        ("NEXT IN QUEUE", "NEXT IN QUEUE"),
        ('ADD SUGGESTION "a" AS "b";', 'ADD SUGGESTION "a", "b"'),
        ("FIND t\n WHERE a = 1\n ORDER BY b\n LIMIT 3", "FIND t WHERE (a = 1) ORDER BY b LIMIT 3"),
        ("limit = 5", "limit = 5"),
    ],
)
def test_statements(source: str, expected: str) -> None:
    assert plain(source) == expected


BLOCKS = {
    "if chain": """
        IF a THEN
            b = 1
        ELSE IF c
            b = 2
        elseif d THEN
            b = 3
        ELSE
            b = 4
        ENDIF
    """,
    "if braces": """
        IF a {
            b = 1
        } ELSE IF c { b = 2 } ELSE {
            b = 3; c = 4
        }
    """,
    "brace if in a word if": """
        IF a THEN
            IF b { c = 1 }
        ELSE
            c = 2
        END IF
    """,
    "one line": """
        IF a THEN b = 1; c = 2 ELSE IF d THEN RETURN ELSE CALL x
    """,
    "for each": """
        FOR EACH row IN FIND "people" LAST 3 DO
            TALK row.name
        END FOR
        FOR x IN [1, 2]
        NEXT
    """,
    "for": """
        FOR i = 1 TO 10 STEP -1 DO
            IF i = 3 THEN EXIT FOR
            CONTINUE
        NEXT i
    """,
    "loops": """
        WHILE a AND b DO
        END WHILE
        WHILE NOT c
            BREAK
        WEND
        DO
            EXIT DO
        LOOP
        DO WHILE a
        LOOP
        DO
        LOOP UNTIL b
    """,
    "select": """
        SELECT CASE a + 1
            CASE 1, 2, 3 TO 5
                b = 1
            CASE IS >= 7, "x"
            CASE ELSE
                b = 2
        END SELECT
        SWITCH a
            CASE 1
                default = 2
            DEFAULT
                b = 3
        END SWITCH
    """,
    "with": """
        WITH order.address
            .street = "A"
            city = city ' the variable
            description = "x"
        END WITH
    """,
    "try": """
        TRY
            THROW "x"
        CATCH e
            TALK e.message
        END TRY
        TRY
        END TRY
    """,
    "procedures": """
        SUB greet(who$, times)
            PARAM extra AS STRING
            TALK who
            EXIT SUB
        END SUB
        FUNCTION zero
            RETURN 0
        END FUNCTION
    """,
    "table": """
        TABLE visits ON crm READ BY "clerk;admin" WRITE BY "admin"
            id guid key
            guest* string(80) ' who
            FIELD fee AS double(10,2) DEFAULT 0.5
            tags text[] NOT NULL UNIQUE
            room Rooms REFERENCES rooms(id) ON DELETE CASCADE
            seen_at TIMESTAMP DEFAULT NOW()
            total number GENERATED ALWAYS AS (fee * 2) STORED READ BY "admin"
            kind varchar(max) CHECK (kind IN ('a', 'b')) PRIMARY KEY
            UNIQUE(guest, seen_at)
            CHECK (fee > 0)
        END TABLE
    """,
    "text blocks": """
        BEGIN TALK
            Hello ${user.name},
              ${{kept}}

            bye
        END TALK
        BEGIN SYSTEM PROMPT
            You are ${bot.name}
        END SYSTEM PROMPT
        BEGIN MAIL "a@example.com"
            Subject: Hi

            Body
        END MAIL
    """,
    "events": """
        ON EVENT "paid" DO
            TALK event.id
        END ON
        ON FORM SUBMIT "contact"
            TALK fields.name
        END ON
        ON EMAIL "a@example.com" SUBJECT "x"
    """,
    "schedules": """
        SCHEDULE IN 5 MINUTE DO
            TALK "later"
        END SCHEDULE
        SET SCHEDULE "0 9 * * *" DO
            TALK "now"
        END SCHEDULE
        IF a THEN
            SET SCHEDULE EVERY hour
            SET SCHEDULE "0 9 * * *"
        END IF
    """,
    "steps": """
        STEP 1: PARALLEL
            BRANCH a: BOT writer "write"
            BRANCH b: BOT painter task
        END PARALLEL
        STEP 2: HUMAN APPROVAL FROM boss
            TIMEOUT 3600
            ON TIMEOUT: ESCALATE TO chief
        STEP 3: HUMAN APPROVAL FROM "boss"
    """,
    "continued lines": """
        x = a +
            b AND
            c
        UPDATE people SET
            name = "x",
            age = 3
            WHERE id = 5
        rows = FIND people
            WHERE age > 3
            ORDER BY name DESC, people.age
            LIMIT 5
        limit = 5
        y = SELECT name FROM people
            WHERE age > 3
            ORDER BY name
        z = LLM "x"
            WITH OPTIMIZE FOR "speed"
        o = {
            a: 1,
            "b c": [
                2,
                3
            ]
        }
    """,
}


@pytest.mark.parametrize("source", BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_survive_printing(source: str) -> None:
    assert plain(source)


def body_of(source: str) -> tuple[nodes.Statement, ...]:
    return parse(source, "t.bas").body


def test_else_if_is_one_chain() -> None:
    [chain] = body_of(BLOCKS["if chain"])
    assert isinstance(chain, nodes.If)
    assert (len(chain.branches), len(chain.otherwise)) == (3, 1)
    [braces] = body_of(BLOCKS["if braces"])
    assert isinstance(braces, nodes.If)
    assert (len(braces.branches), len(braces.otherwise)) == (2, 2)


def test_else_behind_a_brace_belongs_to_the_words() -> None:
    [outer] = body_of(BLOCKS["brace if in a word if"])
    assert isinstance(outer, nodes.If)
    assert len(outer.otherwise) == 1


def test_one_line_if_takes_the_whole_line() -> None:
    [line] = body_of(BLOCKS["one line"])
    assert isinstance(line, nodes.If)
    assert [len(body) for _, body in line.branches] == [2]
    assert len(line.otherwise) == 1


def test_a_schedule_is_a_declaration_only_at_the_top() -> None:
    assert isinstance(body_of('SET SCHEDULE "0 9 * * *"')[0], nodes.ScheduleDeclaration)
    [condition] = body_of('IF a THEN\nSET SCHEDULE "0 9 * * *"\nEND IF')
    assert isinstance(condition, nodes.If)
    assert isinstance(condition.branches[0][1][0], nodes.Schedule)


def test_an_on_without_its_end_takes_the_whole_script() -> None:
    first, _, third = body_of(BLOCKS["events"])
    assert isinstance(first, nodes.OnEvent)
    assert isinstance(third, nodes.OnEvent)
    assert first.body is not None
    assert third.body is None
    assert third.detail is not None


def test_a_mismatched_next_is_noted() -> None:
    notes = parse("FOR i = 1 TO 2\nNEXT j", "t.bas").notes
    assert [(note.message, note.at.line) for note in notes] == [("this NEXT closes the loop of i, not of j", 2)]


def test_what_is_no_expression_in_a_block_stays_with_a_note() -> None:
    tree = parse("BEGIN TALK\n  a ${b c} d ${e\nEND TALK", "t.bas")
    [block] = tree.body
    assert isinstance(block, nodes.TextBlock)
    assert isinstance(block.text, nodes.Literal_)
    assert block.text.value == "a ${b c} d ${e"
    assert [note.at[:2] for note in tree.notes] == [(2, 9), (2, 14)]


def test_a_variable_wins_over_a_keyword_spelled_alike() -> None:
    assert plain("new_object = 1\nx = new_object") == "new_object = 1\nx = new_object"
    assert plain("x = new_object") == "x = NEW OBJECT"


def test_a_bracket_behind_a_blank_begins_a_list() -> None:
    assert plain("HEAR x AS MENU [1, 2]") == "HEAR x AS MENU [1, 2]"
    assert plain("HEAR x AS MENU [1], 2") == "HEAR x AS MENU [1], 2"
    assert plain("HEAR x AS menu[1]") == "HEAR x AS MENU menu[1]"
    assert plain("SELECT CASE a\nCASE [1]\nb = 1\nEND SELECT").split("\n")[1] == "CASE [1]"


def test_a_variable_before_a_clause_is_none_of_its_keywords() -> None:
    assert plain("FIND t WHERE list LIMIT first") == "FIND t WHERE list LIMIT first"
    assert plain("FOR EACH x IN list FIRST 3\nNEXT").startswith("FOR EACH x IN list FIRST 3")
    assert plain("x = list NOT IN filter") == "x = NOT (list IN filter)"


def test_a_procedure_wins_over_a_keyword() -> None:
    assert plain('SUB weather(a)\nEND SUB\nx = weather("b")').endswith('x = weather("b")')
    assert plain('x = weather("b")') == 'x = WEATHER "b"'


def test_the_pragma() -> None:
    assert parse("#workflow\nTALK 1", "t.bas").workflow
    assert not parse("# workflow\nTALK 1", "t.bas").workflow


def test_a_new_keyword_is_a_row() -> None:
    table = KeywordTable([*TABLE, Row("water plants", "q", 1, 2, "both", (Clause("using"),), bare=frozenset([0]))])
    tree = parse('x = WATER_PLANTS garden, 3 USING "hose"', "t.bas", table=table)
    assert print_script(tree, table=table) == 'x = WATER PLANTS garden, 3 USING "hose"\n'
    with pytest.raises(ValueError, match="already"):
        table.add(Row("water plants", "q", 1, 1))


def test_every_row_can_be_read() -> None:
    for row in TABLE:
        arguments = ", ".join(f"a{number}" for number in range(row.least))
        source = f"{row.phrase} {arguments}".strip()
        if row.phrase in ("set", "wait for response", "hear from meet"):
            continue
        [statement] = body_of(source if row.use != "expression" else f"x = {source}")
        tree = statement.expression if isinstance(statement, nodes.Do) else statement
        tree = tree.value if isinstance(tree, nodes.Assign) else tree
        if row.function is None:
            assert isinstance(tree, nodes.Keyword), source
            assert (tree.phrase, len(tree.arguments)) == (row.phrase, row.least)


def test_a_row_says_whether_its_keyword_works() -> None:
    said = {row.phrase for row in TABLE if row.handler is not None}
    # The parser makes a HEAR of one; the others are a text block and a predefined name.
    assert said - {"wait for response"} == HANDLERS.keys() - {"system prompt", "history"}


@pytest.mark.parametrize("kind", sorted(HEAR_TYPES - {"menu", "any"}))
def test_hear_types(kind: str) -> None:
    [statement] = body_of(f"HEAR x AS {kind.upper()}")
    assert isinstance(statement, nodes.Assign)
    assert isinstance(statement.value, nodes.Hear)
    assert statement.value.kind == kind


NESTED = "this is nested more than 40 deep"
LEVELS = "this expression has more than 200 levels"
CROWDED = "blocks stand in each other more than 40 deep"
TEXTS = "texts stand in ${…} of each other more than 8 deep"
DEEP = {
    "brackets": ("(", "a", ")", MAX_NESTING - 1, NESTED),
    "lists": ("[", "a", "]", MAX_NESTING - 1, NESTED),
    "objects": ("{a: ", "1", "}", MAX_NESTING - 1, NESTED),
    "indexes": ("a[", "0", "]", MAX_NESTING - 1, NESTED),
    "calls": ("f(", "a", ")", MAX_NESTING - 1, NESTED),
    "NOT": ("NOT ", "a", "", MAX_NESTING - 1, NESTED),
    "minus": ("-", "a", "", MAX_NESTING - 1, NESTED),
    "power": ("2^", "2", "", MAX_NESTING - 1, NESTED),
    "conditions": ("a ? b : ", "c", "", MAX_NESTING - 1, NESTED),
    "keywords": ("FIRST ", "a", "", MAX_NESTING - 1, NESTED),
    "CALL": ("CALL a, ", "1", "", MAX_NESTING - 1, NESTED),
    "plus": ("a + ", "a", "", MAX_EXPRESSION_HEIGHT - 1, LEVELS),
    "members": ("", "a", ".b", MAX_EXPRESSION_HEIGHT - 1, LEVELS),
    "texts in texts": ('"${', "a", '}"', 8, TEXTS),
    "IF": ("IF a THEN\n", "x = 1\n", "END IF\n", MAX_BLOCK_DEPTH, CROWDED),
    "brace IF": ("IF a {\n", "x = 1\n", "}\n", MAX_BLOCK_DEPTH, CROWDED),
    "one-line IF": ("IF a THEN ", "x = 1", "", MAX_NESTING - 1, NESTED),
    "FOR": ("FOR i = 1 TO 2\n", "x = 1\n", "NEXT\n", MAX_BLOCK_DEPTH, CROWDED),
    "SELECT": ("SELECT a\nCASE 1\n", "x = 1\n", "END SELECT\n", MAX_BLOCK_DEPTH, CROWDED),
}


def deep(name: str, depth: int) -> str:
    before, inside, after, *_ = DEEP[name]
    return ("" if inside.startswith("x = ") else "x = ") + before * depth + inside + after * depth


@pytest.mark.parametrize("name", DEEP)
def test_depth_has_a_bound_and_is_told_of_beyond_it(name: str) -> None:
    *_, most, message = DEEP[name]
    parse(deep(name, most), "t.bas")
    with pytest.raises(ScriptErrors) as raised:
        parse(deep(name, most + 1), "t.bas")
    assert [problem.message for problem in raised.value.problems] == [message]


# A line of more texts in texts than there may be problems ends in the midst of them, and is told of as not closed.
@pytest.mark.parametrize("name", sorted(DEEP.keys() - {"texts in texts"}))
def test_hostile_depth_is_a_problem(name: str) -> None:
    with pytest.raises(ScriptErrors) as raised:
        parse(deep(name, 20_000), "t.bas")
    assert DEEP[name][-1] in {problem.message for problem in raised.value.problems}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("x = " + "(" * 100_000, id="brackets"),
        pytest.param("x = " + "{a: " * 50_000, id="objects"),
        pytest.param("x = " + '"${' * 50_000, id="texts in texts"),
        pytest.param("IF a THEN\n" * 20_000, id="IF"),
        pytest.param("IF a {" * 20_000, id="brace IF"),
        pytest.param("\0" * 100_000, id="NUL"),
    ],
)
def test_much_that_is_not_closed_is_a_problem(source: str) -> None:
    with pytest.raises(ScriptErrors):
        parse(source, "t.bas")
