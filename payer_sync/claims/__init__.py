"""Claims (レセプト): UKE files, medical and dispensing, taken in as claims, medicines and treatments."""
