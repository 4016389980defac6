"""The look-back: judges samples of past days as the monitor does, and finds which alerts would have fired."""
