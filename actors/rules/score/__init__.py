"""What a trained model sees of a trade, how it judges, and when it may."""
