"""A step over infused examples: packed, beside padded rows."""
