"""EXTRACT_IMAGE."""

from systems.study_notes.application.extract_image import ExtractImage
from systems.study_notes.handlers.extraction import OneGoHandler
from systems.study_notes.handlers.jobs import ExtractImageJob


class ExtractImageHandler(OneGoHandler[ExtractImageJob]):
    """The text of a picture."""

    handles = ExtractImageJob
    stages = ExtractImage.stages
