"""Workers and trainers as actors on a Ray cluster. Only Ray Core is used."""
