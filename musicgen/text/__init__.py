"""From prompts to what the decoder attends to."""
