"""The user's cache folder, and what the workers of a machine share through it."""
