"""How outputs are written: whole or not at all."""

from cd40l_flow.disk import WriteError, write_whole

__all__ = ["WriteError", "write_whole"]
