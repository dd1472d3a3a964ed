"""Agreement and error measures; scale, averaging and undefined counts stated."""
