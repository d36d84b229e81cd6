"""How large the numbers, the names and the tables of an experiment's file may be, each with its reason.

They hold for files that are read anew (`limits_hold`). An experiment that an earlier version stored is read as it is.
"""
