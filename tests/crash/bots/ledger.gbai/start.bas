' Says everything that it was told, so that whatever is lost, doubled or out of order shows.

n = 0
all = []
TALK "Begin"
DO
    HEAR word
    n = n + 1
    APPEND all, word
    SET BOT MEMORY word, n
    TALK "${n}: ${word}"
    IF n MOD 3 = 0 THEN
        WAIT 0.1
        IF NOT (history CONTAINS "Bot: ${n}: ${word}") THEN TALK "My last words are not in the history."
    END IF
    CALL "sum", all
LOOP
