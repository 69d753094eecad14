"""What several tests need: writers of broken input and the like."""
