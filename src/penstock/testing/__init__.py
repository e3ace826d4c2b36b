"""Testing an application that uses Penstock: real stores, a real worker, a clock that stands still until it is moved.

async def test_a_signup_sends_a_welcome_mail() -> None:
    async with temporary_engine(clock=MovableClock()) as engine:
        await sign_up(engine, "ada@example.org")
        assert_enqueued(engine, SendMail, to="ada@example.org")
        await run_until_idle(engine, [SendMailHandler(mailbox)])
        assert mailbox.sent == ["ada@example.org"]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock.testing.clock import MovableClock
from penstock.testing.engines import temporary_engine
from penstock.testing.enqueued import EnqueuedJob, assert_enqueued, assert_not_enqueued, enqueued
from penstock.testing.idle import run_until_idle
from penstock.testing.inline import run_inline

if TYPE_CHECKING:
    from penstock.testing.model_server import ModelServer, ModelStream, ScriptedAnswer

__all__ = [
    "EnqueuedJob",
    "ModelServer",
    "ModelStream",
    "MovableClock",
    "ScriptedAnswer",
    "assert_enqueued",
    "assert_not_enqueued",
    "enqueued",
    "run_inline",
    "run_until_idle",
    "temporary_engine",
]

_LATER = ("ModelServer", "ModelStream", "ScriptedAnswer")
"""Of a module that is also run as a process: that one must not find itself imported already."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'penstock.testing' has no attribute {name!r}")
    return getattr(import_module("penstock.testing.model_server"), name)
