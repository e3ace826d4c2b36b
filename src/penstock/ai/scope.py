"""For whom a model is called."""

from penstock.domain.calls import CallScope, calling, current_scope

__all__ = ["CallScope", "calling", "current_scope"]
