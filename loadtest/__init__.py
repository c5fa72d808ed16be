"""The world around the platform, made up: a synthetic nation, its cards and certificates, its load, the demo."""
