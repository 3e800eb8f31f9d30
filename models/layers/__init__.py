"""Small network parts that more than one detector may use."""
