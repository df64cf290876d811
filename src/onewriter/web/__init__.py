"""What answers over HTTP: the webhook door, health and metrics."""
