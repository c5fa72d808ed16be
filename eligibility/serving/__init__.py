"""What every server process shares: mutual TLS, who is calling, problems, and logs."""
