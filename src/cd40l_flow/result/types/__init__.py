"""The result of a sample as types: the content of ``result.json``, with units; the JSON Schema is made from it."""
