"""Who makes plans: the factory that the settings steer."""

from penstock.ai import CallPolicy, Gate, ModelChain, OfflineModel, Provider
from systems.common.models import provider_of
from systems.learning_plans.application.explanations import TASK as EXPLANATION
from systems.learning_plans.application.plan_prompt import TASK as PLAN
from systems.learning_plans.infrastructure.mock_provider import MockProvider
from systems.learning_plans.infrastructure.offline_explanation import micro_explanation
from systems.learning_plans.infrastructure.offline_plan import plan_generation
from systems.learning_plans.settings import Settings

RETRIES = 1
RETRY_DELAY_S = (0.3, 0.7)


def get_generation_provider(settings: Settings, gate: Gate | None = None) -> ModelChain:
    """The offline model, the mock, or the router's chain; each call goes through `gate`.

    Raises ConfigurationError naming the variable that is missing, `SettingsError` one that cannot be used.
    """
    if settings.ai_provider == "router":
        return chain_of([provider_of(name, _offline) for name in settings.router_chain], gate)
    if settings.ai_provider == "mock":
        mock = MockProvider(settings.mock_start, settings.mock_delay_ms, settings.mock_failure_rate)
        return chain_of([mock], gate)
    return chain_of([_offline()], gate)


def chain_of(providers: list[Provider], gate: Gate | None = None) -> ModelChain:
    """Each provider is called again once when it is busy or out of reach, then the next one is asked."""
    policy = CallPolicy(tries=len(providers) * (1 + RETRIES), reask=False, retries=RETRIES, retry_delay_s=RETRY_DELAY_S)
    return ModelChain(providers, policy=policy, gate=gate)


def _offline() -> OfflineModel:
    return OfflineModel({PLAN: plan_generation, EXPLANATION: micro_explanation})
