"""Promise 10: secrets are sealed at rest and appear in no log, event, error text or answer."""

import base64
import logging

import pytest

from penstock import InvalidJob, Penstock, SealingError, Secret, Unique, codec
from penstock.domain.secret import MASK
from penstock.sealing import new_key, open_all
from penstock.store.base import Store
from tests.conformance.databases import Database
from tests.support.engine import HandWorker, Sealed, Work

TOKEN = "sk-live-0123456789"
OLD, NEW = new_key("old"), new_key("new")


@pytest.fixture
def sealing(store: Store) -> Penstock:
    """An engine with a key."""
    return Penstock(store=store, secret_keys=OLD)


async def test_nothing_in_the_database_holds_the_secret(
    database: Database, sealing: Penstock, worker: HandWorker, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    handle = await sealing.enqueue(Sealed(token=Secret(TOKEN)), tags=["t"], unique="u")
    [job] = await worker.claim(seal_keys=("old",))
    await worker.fail(job)
    await sealing.cancel((await sealing.enqueue(Sealed(token=Secret(TOKEN)))).id)
    [tidied] = await worker.claim(queue="tidying")
    everything = [
        *database.select("SELECT data FROM ~job_data" if database.name == "sqlite" else "SELECT data FROM ~jobs"),
        *database.select("SELECT message, traceback FROM ~errors"),
        *await sealing.jobs.payload(handle.id),
        await sealing.get(handle.id),
        tidied,
        job,
        caplog.text,
    ]
    assert TOKEN not in repr(everything)
    assert base64.b64encode(TOKEN.encode()).decode() not in repr(everything)


async def test_the_worker_with_the_key_opens_it(sealing: Penstock, worker: HandWorker):
    await sealing.enqueue(Sealed(token=Secret(TOKEN)))
    [job] = await worker.claim(seal_keys=sealing.keyring.ids)
    opened, texts = open_all(codec.loads(job.data), sealing.keyring, job.id)
    assert Sealed.model_validate(opened).token.reveal() == TOKEN
    assert texts == [TOKEN]


async def test_without_a_key_nothing_is_enqueued(engine: Penstock, worker: HandWorker):
    with pytest.raises(SealingError, match="PENSTOCK_SECRET_KEYS"):
        await engine.enqueue_many([Work(), Sealed(token=Secret(TOKEN))])
    assert await worker.claim() == []


async def test_a_worker_without_the_key_does_not_claim_the_job(sealing: Penstock, worker: HandWorker):
    sealed = await sealing.enqueue(Sealed(token=Secret(TOKEN)))
    plain = await sealing.enqueue(Work())
    assert [job.id for job in await worker.claim(seal_keys=("another",))] == [plain.id]
    reasons = (await sealing.jobs.why(sealed.id)).reasons
    assert any("sealed with key 'old'" in reason for reason in reasons)
    assert [job.id for job in await worker.claim(seal_keys=("another", "old"))] == [sealed.id]


async def test_the_first_key_seals_and_all_keys_open(store: Store, sealing: Penstock, worker: HandWorker):
    rotated = Penstock(store=store, secret_keys=f"{NEW},{OLD}")
    await sealing.enqueue(Sealed(token=Secret("before")))
    await rotated.enqueue(Sealed(token=Secret("after")))
    jobs = await worker.claim(seal_keys=rotated.keyring.ids)
    tokens = [codec.loads(job.data)["token"]["penstock:secret"] for job in jobs]
    assert [token.partition(".")[0] for token in tokens] == ["old", "new"]
    opened = [open_all(codec.loads(job.data), rotated.keyring, job.id)[1] for job in jobs]
    assert opened == [["before"], ["after"]]
    with pytest.raises(SealingError, match="'new', which is not configured"):
        open_all(codec.loads(jobs[1].data), sealing.keyring, jobs[1].id)


async def test_a_sealed_value_opens_only_in_its_own_job(sealing: Penstock, worker: HandWorker):
    await sealing.enqueue_many([Sealed(token=Secret("a")), Sealed(token=Secret("b"))])
    first, second = await worker.claim(seal_keys=("old",))
    with pytest.raises(SealingError, match="sealed for another job or field"):
        open_all(codec.loads(first.data), sealing.keyring, second.id)


async def test_the_job_that_runs_at_the_end_sees_a_mask(sealing: Penstock, worker: HandWorker):
    handle = await sealing.enqueue(Sealed(token=Secret(TOKEN)))
    await sealing.cancel(handle.id)
    [tidied] = await worker.claim(queue="tidying")
    assert codec.loads(tidied.data)["data"] == {"token": MASK}


async def test_a_debounce_cannot_carry_secrets(sealing: Penstock):
    with pytest.raises(InvalidJob, match="sealed secrets"):
        await sealing.enqueue(Sealed(token=Secret(TOKEN)), unique=Unique("u", replace=True))


@pytest.mark.parametrize("keys", ["no-colon", "k:short", "a.b:" + base64.b64encode(bytes(32)).decode(), ":x"])
def test_a_bad_key_is_refused_by_name(keys: str):
    with pytest.raises(SealingError, match="base64 of 32 bytes"):
        Penstock("sqlite:///unused.db", secret_keys=keys)
