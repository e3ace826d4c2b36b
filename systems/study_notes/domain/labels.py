"""The few words of a note that are ours, in the language of the note."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """Fixed words of a note in one language."""

    key_points: str
    key_takeaway_box: str
    note_box: str
    highlight_box: str
    example: str
    picture_missing: str
    picture_source: str


_ENGLISH = Labels("Key points", "Key takeaway", "Note", "Highlight", "Example", "Picture missing", "Picture")
_LABELS = {
    "eng": _ENGLISH,
    "spa": Labels("Puntos clave", "Idea clave", "Nota", "Destacado", "Ejemplo", "Falta la imagen", "Imagen"),
    "fra": Labels("Points clés", "À retenir", "Remarque", "À noter", "Exemple", "Image manquante", "Image"),
    "deu": Labels("Kernpunkte", "Merksatz", "Hinweis", "Hervorgehoben", "Beispiel", "Bild fehlt", "Bild"),
    "por": Labels("Pontos-chave", "Ideia-chave", "Nota", "Destaque", "Exemplo", "Falta a imagem", "Imagem"),
    "ita": Labels("Punti chiave", "Idea chiave", "Nota", "In evidenza", "Esempio", "Immagine mancante", "Immagine"),
}


def labels_for(language_code: str) -> Labels:
    """Labels for an ISO 639-3 code, English for languages not listed."""
    return _LABELS.get(language_code, _ENGLISH)
