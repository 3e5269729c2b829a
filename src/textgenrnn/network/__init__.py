"""What a model is: its parameters, its configuration and its cells, without any engine."""
