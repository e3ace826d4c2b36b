"""`module:name`: what the person asks this program to run."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from penstock.errors import ConfigurationError


def load(target: str) -> Any:
    """The object that `module:name` names, imported from the current folder or the installed packages.

    Raises ConfigurationError naming the part that is wrong; an error inside the module itself comes out unchanged.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise ConfigurationError(f"{target!r} must be module:name, such as myapp.jobs:worker")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"there is no module {error.name!r} in {here} or among the installed packages"
        ) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConfigurationError(f"module {module_name!r} has no {name!r}") from None
    return found
