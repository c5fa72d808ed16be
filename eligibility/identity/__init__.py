"""Whether a card is what it says: certificates, their authorities, revocation, challenges and signatures."""
