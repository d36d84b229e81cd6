"""The workload that an experiment names, checked where it enters: it may be code of the user's."""
