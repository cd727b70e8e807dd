"""Writing descriptions, beside a loop over `generate`."""
