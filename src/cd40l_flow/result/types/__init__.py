"""The result of a sample as types: what stands in ``result.json``, with units; the JSON Schema is made from it."""
