"""What a conversation is and what may happen in it. Imports nothing of ours."""
