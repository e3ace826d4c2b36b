"""Testing an application that uses Penstock: real stores, a real worker, a clock that stands still until it is moved.

async def test_a_signup_sends_a_welcome_mail() -> None:
    async with temporary_engine(clock=MovableClock()) as engine:
        await sign_up(engine, "ada@example.org")
        assert_enqueued(engine, SendMail, to="ada@example.org")
        await run_until_idle(engine, [SendMailHandler(mailbox)])
        assert mailbox.sent == ["ada@example.org"]
"""

from penstock.testing.clock import MovableClock
from penstock.testing.engines import temporary_engine
from penstock.testing.enqueued import EnqueuedJob, assert_enqueued, assert_not_enqueued, enqueued
from penstock.testing.idle import run_until_idle
from penstock.testing.inline import run_inline

__all__ = [
    "EnqueuedJob",
    "MovableClock",
    "assert_enqueued",
    "assert_not_enqueued",
    "enqueued",
    "run_inline",
    "run_until_idle",
    "temporary_engine",
]
