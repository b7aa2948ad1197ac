"""Finding goods: documents, engines, queries, suggestions, rebuild."""
