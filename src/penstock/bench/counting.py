"""Counting the statements that a process sends to its store."""

from typing import Any

from penstock.store.base import Store
from penstock.store.program import Call, Program, Steps


class Counted:
    """The statements of all programs that ran since `watch`; BEGIN and COMMIT are not among them."""

    def __init__(self) -> None:
        self.total = 0

    def watch(self, store: Store) -> None:
        """Count in this store from now on."""
        for name in ("run", "read", "run_sync", "read_sync"):
            setattr(store, name, self._counting(getattr(store, name)))

    def _counting(self, method: Any) -> Any:
        def run(program: Program[Any], **options: Any) -> Any:
            return method(Program(program.name, lambda: self._steps(program)), **options)

        return run

    def _steps(self, program: Program[Any]) -> Steps[Any]:
        steps = iter(program)
        try:
            operation = next(steps)
            while True:
                self.total += isinstance(operation, Call)
                operation = steps.send((yield operation))
        except StopIteration as end:
            return end.value
