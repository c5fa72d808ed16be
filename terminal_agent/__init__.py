"""The reception terminal: reads the card, asks the centre, shows the answer."""
