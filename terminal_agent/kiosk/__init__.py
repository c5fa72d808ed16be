"""The counter's screens: the patient's kiosk and the staff's, served to browsers on this machine."""
