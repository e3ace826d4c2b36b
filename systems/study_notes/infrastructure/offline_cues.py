"""The words by which a text itself says what a sentence is, and the few fixed labels, in six languages."""

import re

_WITH_COLON = r"\s*[:\u2013\u2014]\s*"


def _starts(words: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:{words})\b", re.IGNORECASE)


NOTE = re.compile(
    r"^(?:note|nota|remarque|hinweis|observação|observación|tip|consejo|warning|caution|atención"
    r"|attention|achtung|atenção"
    rf"|attenzione|important|importante|wichtig|remember|recuerda|n\.b\.|nb){_WITH_COLON}",
    re.IGNORECASE,
)
EXAMPLE = _starts(
    "for example|for instance|(?:an? )?(?:worked )?examples?|as an example|to illustrate|consider the case|suppose"
    "|por ejemplo|ejemplos?|par exemple|exemples?|zum beispiel|beispiele?|por exemplo|exemplos?"
    "|per esempio|ad esempio|esempio"
)
EXAMPLE_LABEL = re.compile(rf"^(?:example|ejemplo|exemple|beispiel|exemplo|esempio){_WITH_COLON}", re.IGNORECASE)
TAKEAWAY = _starts(
    "in short|in summary|in other words|in essence|the key point|the main point|the key idea|the lesson"
    "|to sum up|put simply"
    "|as a result|the result|overall|en resumen|en pocas palabras|en definitiva|como resultado"
    "|lo esencial|en résumé|en bref"
    "|en somme|kurz gesagt|zusammengefasst|im ergebnis|em resumo|em suma|em poucas palavras|in breve"
    "|in sintesi|in sostanza"
)
EXPLANATION = _starts(
    "this is because|that is because|because|the reason|the explanation|this happens|this works"
    "|esto se debe|la razón|porque"
    "|c'est parce|la raison|das liegt daran|der grund|weil|isto deve-se|isso ocorre|a razão|questo perché|la ragione"
)
CONCLUSION = _starts(
    r"(?:[\dIVX.]+\s+)?(?:conclusions?|summary|in conclusion|closing|final thoughts|wrap-?up|takeaways"
    r"|conclusión|conclusiones"
    r"|en conclusión|resumen|conclusion|en conclusion|synthèse|fazit|schluss|zusammenfassung"
    r"|abschließend|conclusão|conclusões"
    r"|em conclusão|resumo|conclusione|conclusioni|in conclusione|riassunto|sintesi)"
)
QUESTION_LABEL = re.compile(r"^(?:q|question|pregunta|frage|pergunta|domanda|p|f)\s*[:.]\s+", re.IGNORECASE)
ANSWER_LABEL = re.compile(r"^(?:a|r|answer|respuesta|réponse|antwort|resposta|risposta)\s*[:.]\s+", re.IGNORECASE)

_INTRODUCTION = {
    "eng": "Introduction",
    "spa": "Introducción",
    "fra": "Introduction",
    "deu": "Einführung",
    "por": "Introdução",
    "ita": "Introduzione",
}
_COMPLETE = {
    "eng": "Complete the sentence:",
    "spa": "Completa la frase:",
    "fra": "Complétez la phrase :",
    "deu": "Ergänze den Satz:",
    "por": "Complete a frase:",
    "ita": "Completa la frase:",
}
_WHICH_TERM = {
    "eng": "Which term fits?",
    "spa": "¿Qué término es?",
    "fra": "Quel terme convient ?",
    "deu": "Welcher Begriff passt?",
    "por": "Qual é o termo?",
    "ita": "Quale termine è?",
}


def introduction_label(language: str | None) -> str | None:
    """The heading of an opening without one, or None for a language without labels."""
    return _INTRODUCTION.get(language or "")


def complete_label(language: str | None) -> str:
    """What stands before a sentence with a gap."""
    return _COMPLETE.get(language or "", _COMPLETE["eng"])


def which_term_label(language: str | None) -> str:
    """What stands before a definition whose term is asked for."""
    return _WHICH_TERM.get(language or "", _WHICH_TERM["eng"])
