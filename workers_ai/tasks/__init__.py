"""What can be asked of the service: each file builds the exchanges of one task."""
