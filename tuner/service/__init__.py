"""Many studies: runs, workers, engines, and the web pages of others on what they measured."""
