' Marca uma consulta: especialidade, dia, hora, nome e telefone.

horas = ["09:00", "10:30", "14:00", "15:30", "17:00"]

TALK "Olá! Aqui é a **${clinica}**. Vou marcar a sua consulta."

marcada = RECALL "consulta"
IF marcada THEN
    IF de_acordo("Já tem consulta marcada: ${marcada}. Quer mantê-la?") THEN
        TALK "Combinado. Até lá!"
        STOP
    END IF
    chave = RECALL "chave"
    SET BOT MEMORY chave, NULL
    REMEMBER "consulta" = ""
    TALK "A consulta anterior foi desmarcada."
END IF

HEAR especialidade AS "Clínica geral", "Pediatria", "Dermatologia" WITH "Para que especialidade?"
CALL escolher_dia
CALL escolher_hora

HEAR nome AS NAME WITH "Em que nome fica a consulta?"
HEAR telefone_do_paciente AS MOBILE WITH "Qual é o seu telefone, com o indicativo?"

quando = dia_por_extenso(dia) + " às " + hora
IF NOT de_acordo("${especialidade}, ${quando}, em nome de ${nome}. Confirma?") THEN
    TALK "Nada foi marcado. Diga *recomeçar* quando quiser."
    STOP
END IF

SET BOT MEMORY chave, {nome: nome, telefone: telefone_do_paciente}
REMEMBER "consulta" = especialidade + ", " + quando
REMEMBER "chave" = chave
TALK "Está marcado, ${nome}! Se houver algum imprevisto, ligue para ${telefone}."

SUB escolher_dia
    ' A próxima segunda-feira; o domingo é o dia 1.
    exemplo = FORMAT_DATE(DATEADD(TODAY(), 9 - TODAY().weekday, "day"), "DD/MM/YYYY")
    DO
        HEAR dia AS DATE WITH "Que dia prefere? Por exemplo ${exemplo}, ou *amanhã*."
        serve = FALSE
        IF dia <= TODAY() THEN
            TALK "Esse dia já passou, ou é hoje. Escolha a partir de amanhã."
        ELSE IF dia > DATEADD(TODAY(), 90, "day") THEN
            TALK "Só marcamos até 90 dias à frente."
        ELSE IF dia.is_weekend THEN
            TALK "Ao fim de semana estamos fechados."
        ELSE
            livres = horas_livres(dia)
            IF UBOUND(livres) = 0 THEN
                TALK "Esse dia já está cheio."
            ELSE
                serve = TRUE
            END IF
        END IF
    LOOP UNTIL serve
END SUB

FUNCTION de_acordo(pergunta)
    ADD SUGGESTION "Sim"
    ADD SUGGESTION "Não"
    HEAR resposta AS BOOLEAN WITH pergunta
    CLEAR SUGGESTIONS
    RETURN resposta
END FUNCTION

FUNCTION horas_livres(quando_livre)
    restantes = []
    FOR EACH cada IN horas
        IF NOT GET BOT MEMORY(chave_de(quando_livre, cada)) THEN PUSH(restantes, cada)
    NEXT cada
    RETURN restantes
END FUNCTION

SUB escolher_hora
    HEAR hora AS livres WITH "Temos estas horas livres nesse dia:"
    chave = chave_de(dia, hora)
END SUB

FUNCTION chave_de(data, h)
    RETURN "consulta " + especialidade + " " + FORMAT_DATE(data) + " " + h
END FUNCTION

FUNCTION dia_por_extenso(data)
    dias = ["domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"]
    RETURN dias[data.weekday - 1] + ", " + FORMAT_DATE(data, "DD/MM/YYYY")
END FUNCTION
