"""Work on texts without a model: everything that comes out stands in the text that went in."""

from penstock.ai.offline.cloze import BLANK, OPTIONS, Cloze, Term, arrange, make_cloze, number_terms, phrase_terms
from penstock.ai.offline.definitions import Definition, find_definition
from penstock.ai.offline.elements import Body, Code, Element, Heading, Listing, Paragraph, Quote, Table
from penstock.ai.offline.keywords import Phrase, distinct_phrases, rank_phrases
from penstock.ai.offline.language import detect_language
from penstock.ai.offline.lexicon import Lexicon, lexicon_for
from penstock.ai.offline.markup import plain_text, strong_terms
from penstock.ai.offline.model import OfflineModel
from penstock.ai.offline.outline import Document, Section, body_sentences, body_texts, parse_document
from penstock.ai.offline.ranking import best_sentences, leans_back, rank_sentences
from penstock.ai.offline.reader import parse_elements
from penstock.ai.offline.sentences import split_sentences
from penstock.ai.offline.words import Token, phrase_key, tokens, word_key

__all__ = [
    "BLANK",
    "OPTIONS",
    "Body",
    "Cloze",
    "Code",
    "Definition",
    "Document",
    "Element",
    "Heading",
    "Lexicon",
    "Listing",
    "OfflineModel",
    "Paragraph",
    "Phrase",
    "Quote",
    "Section",
    "Table",
    "Term",
    "Token",
    "arrange",
    "best_sentences",
    "body_sentences",
    "body_texts",
    "detect_language",
    "distinct_phrases",
    "find_definition",
    "leans_back",
    "lexicon_for",
    "make_cloze",
    "number_terms",
    "parse_document",
    "parse_elements",
    "phrase_key",
    "phrase_terms",
    "plain_text",
    "rank_phrases",
    "rank_sentences",
    "split_sentences",
    "strong_terms",
    "tokens",
    "word_key",
]
