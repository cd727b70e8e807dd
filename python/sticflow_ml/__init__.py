"""Generation and training behind sticflow's workflows; started as `python -m sticflow_ml`."""
