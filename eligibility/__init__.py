"""The centre: answers whether a person is insured today, by whom, and what they pay."""
