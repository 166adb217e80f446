' Takes an order: pizzas, how they get to the person, a confirmation.
' The shop's name, its currency and what delivery costs are in config.csv.

menu = [
    {name: "Margherita", about: "tomato, mozzarella, basil", price: 8.5},
    {name: "Funghi", about: "mushrooms, garlic, parsley", price: 9.75},
    {name: "Diavola", about: "spicy salami, chilli", price: 10.5},
    {name: "Quattro Formaggi", about: "four cheeses, walnuts", price: 11}
]
sizes = {Small: 0.8, Medium: 1, Large: 1.3}
basket = []
total = 0

TALK "Welcome to **${shop}**! I take your order."
usual = RECALL "usual"
IF usual THEN
    TALK "Good to see you again. Last time you had ${usual}."
END IF

CALL show_menu
DO
    CALL add_pizza
LOOP WHILE agreed("That makes ${money(total)} so far. Another pizza?")

HEAR way AS "Delivery", "Pick-up" WITH "Shall we bring it, or do you pick it up?"
delivery = way = "Delivery"
fee = 0
IF delivery THEN
    HEAR place AS TEXT WITH "Where to? Street and number, please."
    HEAR phone AS MOBILE WITH "And a phone number, in case the courier does not find you."
    IF total < free_delivery_from THEN fee = delivery_fee
    HEAR tip AS MONEY WITH "Something for the courier? An amount, or 0." DEFAULT 0
ELSE
    tip = 0
    HEAR place AS HOUR WITH "At what time will you come? For example 19:30."
END IF
due = total + fee + tip

CALL show_order
IF NOT agreed("Shall I send it to the kitchen?") THEN
    TALK "All right, nothing was ordered. Say *new order* when you feel hungry."
    STOP
END IF

number = VAL(GET BOT MEMORY("orders")) + 1
SET BOT MEMORY "orders", number
REMEMBER "usual" = short_list()
IF delivery THEN
    ready = DATEADD(NOW(), 40, "minute")
    TALK "Thank you! Order **#${number}** will be with you by ${FORMAT_TIME(ready)}."
ELSE
    TALK "Thank you! Order **#${number}** will be ready at ${place}."
END IF

FUNCTION agreed(question)
    ' Two buttons, and whatever else means yes or no: "sure", "nope", "ok".
    ADD SUGGESTION "Yes"
    ADD SUGGESTION "No"
    HEAR answer AS BOOLEAN WITH question
    CLEAR SUGGESTIONS
    RETURN answer
END FUNCTION

FUNCTION money(amount)
    RETURN currency + " " + FORMAT(amount, "#,##0.00")
END FUNCTION

SUB show_menu
    text = "Today's oven:"
    FOR EACH pizza IN menu
        text = text + "\n- **" + pizza.name + "**: " + pizza.about + ", " + money(pizza.price)
    NEXT pizza
    TALK text
END SUB

SUB add_pizza
    names = []
    FOR EACH pizza IN menu
        PUSH(names, pizza.name)
    NEXT pizza
    HEAR choice AS names WITH "Which pizza would you like?"
    HEAR size AS "Small", "Medium", "Large" WITH "What size?"
    HEAR count AS INTEGER WITH "How many of them?" DEFAULT 1
    IF count < 1 OR count > 20 THEN
        TALK "Between 1 and 20 is what our oven takes; I put down one."
        count = 1
    END IF
    FOR EACH pizza IN menu
        IF pizza.name = choice THEN
            price = ROUND(pizza.price * sizes[size], 2)
            PUSH(basket, {name: choice, size: size, count: count, price: price})
            total = ROUND(total + price * count, 2)
            EXIT FOR
        END IF
    NEXT pizza
END SUB

FUNCTION short_list()
    parts = []
    FOR EACH item IN basket
        PUSH(parts, item.count + " " + item.name + " (" + LCASE(item.size) + ")")
    NEXT item
    RETURN JOIN(parts, ", ")
END FUNCTION

SUB show_order
    text = "Your order:"
    FOR EACH item IN basket
        text = text + "\n- " + item.count + " × " + item.name + ", " + LCASE(item.size) + ": " + money(item.price * item.count)
    NEXT item
    IF fee > 0 THEN text = text + "\n- delivery: " + money(fee)
    IF tip > 0 THEN text = text + "\n- for the courier: " + money(tip)
    text = text + "\n\n**Total: " + money(due) + "**, "
    IF delivery THEN
        text = text + "to " + place
    ELSE
        text = text + "for pick-up at " + place
    END IF
    TALK text
END SUB
