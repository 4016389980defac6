"""Series in columns: their points, formulas and limits, and their judgement."""
