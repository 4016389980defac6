"""The look-back: judges samples of past days as the monitor would have, and tells what it would have told."""
