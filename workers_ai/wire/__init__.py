"""How the service speaks: encoding for its two forms, decoding by the keys that are there."""
