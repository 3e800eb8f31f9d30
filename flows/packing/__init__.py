"""What an evidence pack is made of: the case that it is about, its parts, its page and texts, and who stands behind it."""
