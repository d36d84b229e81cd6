"""Pure functions from records to frozen dataclasses: numpy only, no database, no drawing."""
