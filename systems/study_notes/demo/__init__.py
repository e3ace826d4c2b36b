"""One document, made into study notes on this machine, offline, with its progress shown."""

from systems.study_notes.demo.document import BadFile
from systems.study_notes.demo.run import DemoFailed, run_demo

__all__ = ["BadFile", "DemoFailed", "run_demo"]
