"""One step of preference training, beside TRL's."""
