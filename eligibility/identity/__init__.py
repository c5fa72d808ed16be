"""Who a card's holder is: certificates, their issuers and revocation, challenges and signatures."""
