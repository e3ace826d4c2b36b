"""Language models: the port, the chain of providers, and the offline model that needs none."""

from penstock.ai.chain import ModelChain
from penstock.ai.errors import ModelError, ModelErrorKind
from penstock.ai.offline import OfflineModel
from penstock.ai.port import LanguageModel, ModelAnswer, ModelRequest

__all__ = [
    "LanguageModel",
    "ModelAnswer",
    "ModelChain",
    "ModelError",
    "ModelErrorKind",
    "ModelRequest",
    "OfflineModel",
]
