"""The sample that `make run` plays, and the proof that everything of it ended where it should."""
