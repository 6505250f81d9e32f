"""FlowKit, imported without a library that it has no use for: its import is most of the memory of a read-back."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


def import_without(name: str, unused: str, user: str) -> ModuleType:
    """Return the module ``name``, imported as if ``unused`` were not installed, which ``user`` would import with it.

    Where either is loaded already, or ``name`` cannot do without, it is imported as it always is.
    """
    if unused not in sys.modules and user not in sys.modules:
        # None tells Python that there is no such module, as its reference says of sys.modules.
        sys.modules[unused] = None  # type: ignore[assignment]
        try:
            return import_module(name)
        except ImportError:
            pass
        finally:
            del sys.modules[unused]
    return import_module(name)


# FlowKit keeps its tables in pandas, which takes 35 MB more where pyarrow is installed, and does without elsewhere.
flowkit = import_without("flowkit", "pyarrow", user="pandas")
