"""What users are told, when, and in which words."""
