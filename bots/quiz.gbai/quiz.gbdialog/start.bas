' Asks some questions, drawn by lot, counts points and keeps the best score of all players.

questions = [
    {ask: "What does a boatswain look after?", right: "Deck and crew", wrong: ["The engine", "The galley"]},
    {ask: "Which side of a ship is starboard, looking forward?", right: "Right", wrong: ["Left", "The stern"]},
    {ask: "How long is a nautical mile?", right: "1,852 m", wrong: ["1,000 m", "1,609 m"]},
    {ask: "What is a knot?", right: "A nautical mile an hour", wrong: ["A kilometre an hour", "A fathom"]},
    {ask: "Which ocean is the largest?", right: "Pacific", wrong: ["Atlantic", "Indian"]},
    {ask: "What colour is the light on the port side?", right: "Red", wrong: ["Green", "White"]},
    {ask: "How deep is one fathom?", right: "Six feet", wrong: ["Ten feet", "Three feet"]},
    {ask: "What is the lowest part of a ship's hull?", right: "Keel", wrong: ["Mast", "Bow"]}
]

best = VAL(GET BOT MEMORY("best"))
HEAR player AS NAME WITH "Ahoy! This is the sea quiz. What shall I call you?"
IF shuffled THEN questions = shuffle(questions)
IF best > 0 THEN
    TALK "${rounds} questions, ${player}. The best so far: ${best}, by ${GET BOT MEMORY("champion")}."
ELSE
    TALK "${rounds} questions, ${player}. Nobody has played yet."
END IF

points = 0
FOR i = 1 TO rounds
    question = questions[i - 1]
    options = CONCAT([question.right], question.wrong)
    IF shuffled THEN
        options = shuffle(options)
    ELSE
        options = SORT(options)
    END IF
    HEAR answer AS options WITH "**${i}.** ${question.ask}"
    IF answer = question.right THEN
        points += 1
        TALK "Right! ${points} of ${i}."
    ELSE
        TALK "Sorry, no: ${LCASE(question.right)}."
    END IF
NEXT i

SELECT CASE points
    CASE rounds
        TALK "All ${rounds}! You could be captain."
    CASE 0
        TALK "None this time. Even captains began in the galley."
    CASE IS >= rounds / 2
        TALK "${points} of ${rounds}: well sailed."
    CASE ELSE
        TALK "${points} of ${rounds}. The sea is patient."
END SELECT
IF points > best THEN
    SET BOT MEMORY "best", points
    SET BOT MEMORY "champion", player
    TALK "That is a new best score!"
END IF
ADD SUGGESTION "Again"
TALK "Say *again* to play once more."

FUNCTION shuffle(cards)
    ' Every order is equally likely: each place gets one of those that are left.
    mixed = SLICE(cards, 0)
    FOR place = UBOUND(mixed) - 1 TO 1 STEP -1
        other = RANDOM(0, place)
        kept = mixed[place]
        mixed[place] = mixed[other]
        mixed[other] = kept
    NEXT place
    RETURN mixed
END FUNCTION
