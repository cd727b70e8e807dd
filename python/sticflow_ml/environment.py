"""What every Python process of ours sets for its libraries, before they are imported."""

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Same bits on CUDA where a deterministic kernel exists (cuBLAS reproducibility notes).
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
