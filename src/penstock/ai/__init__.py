"""Language models: requests and their outcomes, the chain of providers, and the offline model that needs none.

Providers themselves come from `penstock.ai.providers`, which the extra `ai` is for.
"""

from penstock.ai.answers import ModelAnswer, ModelError, ModelFailure, Try, Usage, answer_or_raise
from penstock.ai.chain import ModelChain
from penstock.ai.deadline import AdaptiveTimeout
from penstock.ai.errors import ModelErrorKind
from penstock.ai.gate import CallEnd, CallInfo, Gate, GatedCall
from penstock.ai.offline import OfflineModel
from penstock.ai.policy import CallPolicy
from penstock.ai.port import LanguageModel, Provider
from penstock.ai.request import Attachment, ModelRequest
from penstock.domain.budgets import Budget
from penstock.domain.limits import ModelLimit

__all__ = [
    "AdaptiveTimeout",
    "Attachment",
    "Budget",
    "CallEnd",
    "CallInfo",
    "CallPolicy",
    "Gate",
    "GatedCall",
    "LanguageModel",
    "ModelAnswer",
    "ModelChain",
    "ModelError",
    "ModelErrorKind",
    "ModelFailure",
    "ModelLimit",
    "ModelRequest",
    "OfflineModel",
    "Provider",
    "Try",
    "Usage",
    "answer_or_raise",
]
