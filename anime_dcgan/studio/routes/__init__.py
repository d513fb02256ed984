"""The interface over HTTP: thin, each route a sentence about a part below it."""
