' Finds out what is wrong, helps at once where that is possible, else writes a ticket.

TALK "This is the service desk of ${company}."

open_ticket = RECALL "ticket"
IF open_ticket THEN
    HEAR settled AS BOOLEAN WITH "You have ticket **${open_ticket}** open. Is that settled?"
    IF settled THEN
        REMEMBER "ticket" = ""
        TALK "Good to hear. I have closed it."
    ELSE
        TALK "I have told the team that you are waiting."
    END IF
END IF

HEAR topic AS "Password", "Network", "Computer", "Something else" WITH "What is it about?"

SELECT CASE topic
    CASE "Password"
        solved = CALL "password.bas"
        IF solved THEN CALL goodbye
        team = "accounts"
        problem = "Cannot sign in"
    CASE "Network"
        solved = check_network()
        IF solved THEN CALL goodbye
        team = "network"
        problem = "No network: " + where
    CASE "Computer"
        HEAR problem AS TEXT WITH "What does it do, or not do?"
        team = "workplace"
    CASE ELSE
        HEAR problem AS TEXT WITH "Tell me in a sentence or two."
        team = "front desk"
END SELECT

CALL write_ticket

SUB goodbye
    TALK "Then I am glad that I could help. Say *start over* if there is more."
    STOP
END SUB

FUNCTION check_network()
    HEAR where AS "Office", "Home", "On the road" WITH "Where are you?"
    SELECT CASE where
        CASE "Office"
            steps = ["Is the cable plugged in at both ends?", "Does another website open?"]
        CASE "Home", "On the road"
            steps = ["Does your phone get online in the same Wi-Fi?", "Did you restart the VPN?"]
    END SELECT
    FOR EACH question IN steps
        HEAR answer AS BOOLEAN WITH question
        IF NOT answer THEN
            HEAR works AS BOOLEAN WITH "Please set that right and try again. Does it work now?"
            IF works THEN RETURN TRUE
        END IF
    NEXT question
    RETURN FALSE
END FUNCTION

SUB write_ticket
    HEAR caller AS NAME WITH "What is your name?"
    HEAR address AS EMAIL WITH "Which e-mail address may we answer to?"
    HEAR impact AS "Only me", "My team", "Everybody" WITH "Who is held up by it?"
    urgency = "normal"
    days = 2
    SELECT CASE impact
        CASE "Everybody"
            urgency = "urgent"
            days = 0
        CASE "My team"
            urgency = "high"
            days = 1
    END SELECT

    number = VAL(GET BOT MEMORY("tickets")) + 1
    SET BOT MEMORY "tickets", number
    ticket = "SD-" + FORMAT(number, "0000")
    SET BOT MEMORY ticket, {caller: caller, address: address, team: team, problem: problem, urgency: urgency}
    REMEMBER "ticket" = ticket

    BEGIN TALK
    Ticket **${ticket}** is written.

    | | |
    |---|---|
    | problem | ${problem} |
    | team | ${team} |
    | urgency | ${urgency} |
    | answer to | ${address} |
    END TALK
    IF days = 0 THEN
        TALK "Somebody is looking at it now. You may also call ${urgent_phone}."
    ELSE
        TALK "You hear from us by ${FORMAT_DATE(DATEADD(TODAY(), days, "day"), "DD/MM/YYYY")}, ${caller}."
    END IF
END SUB
