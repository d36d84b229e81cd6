"""Hyperparameter tuning for one careful question: what does batch size do to training?"""
