"""Evaluation beside one question at a time."""
