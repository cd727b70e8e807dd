"""The embedded world: rendered scenes with known truth, and the tiny LLaVA that was pre-trained on them."""
