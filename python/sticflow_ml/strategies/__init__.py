"""What the preference training learns from a pair: one file a strategy, chosen by `registry.py`."""
