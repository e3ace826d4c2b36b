"""The producing side: from `JobData` and options to rows, in a transaction of ours or of the caller."""

from penstock.producer.handle import JobHandle
from penstock.producer.producer import Producer
from penstock.producer.transaction import JobTransaction, SyncTransaction, Transaction

__all__ = ["JobHandle", "JobTransaction", "Producer", "SyncTransaction", "Transaction"]
