"""Training with PyTorch. Nothing outside this room imports torch."""
