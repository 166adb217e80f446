PARAM all AS ARRAY
TALK "So far " + JOIN(all, " ") + ", last " + GET BOT MEMORY(all[LEN(all) - 1])
