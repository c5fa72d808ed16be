"""How the clinic's own software asks: a folder of XML files as the field has it, and REST on this machine alone."""
