"""The ledger of model calls, and what they cost."""

from penstock.ledger.book import Ledger
from penstock.ledger.prices import cost_of

__all__ = ["Ledger", "cost_of"]
