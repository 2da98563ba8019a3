"""What steps say while they run, wherever they write it, as lines of the log."""
