"""EXTRACT_YOUTUBE."""

from systems.study_notes.application.extract_youtube import ExtractYoutube
from systems.study_notes.handlers.extraction import OneGoHandler
from systems.study_notes.handlers.jobs import ExtractYoutubeJob


class ExtractYoutubeHandler(OneGoHandler[ExtractYoutubeJob]):
    """The captions of a video."""

    handles = ExtractYoutubeJob
    stages = ExtractYoutube.stages
