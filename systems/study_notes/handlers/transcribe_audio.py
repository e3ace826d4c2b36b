"""TRANSCRIBE_AUDIO."""

from systems.study_notes.application.transcribe_audio import TranscribeAudio
from systems.study_notes.handlers.extraction import OneGoHandler
from systems.study_notes.handlers.jobs import TranscribeAudioJob


class TranscribeAudioHandler(OneGoHandler[TranscribeAudioJob]):
    """What is said in a recording."""

    handles = TranscribeAudioJob
    stages = TranscribeAudio.stages
