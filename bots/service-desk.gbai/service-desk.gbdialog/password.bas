' Leads through a password reset. Answers whether the person can sign in now.

HEAR account AS TEXT WITH "What is the name of the account?"
HEAR locked AS BOOLEAN WITH "Does it say that the account is locked?"
IF locked THEN
    TALK "A locked account opens by itself after 15 minutes."
    ADD SUGGESTION "Done"
    HEAR done WITH "Come back then, and say *Done*."
    CLEAR SUGGESTIONS
ELSE
    TALK "Open the sign-in page, choose *Forgot password*, and follow the mail that comes to ${LCASE(account)}."
END IF
HEAR can_sign_in AS BOOLEAN WITH "Can you sign in now?"
RETURN can_sign_in
