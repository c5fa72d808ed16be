"""What a patient agreed to show, to whom and until when."""
