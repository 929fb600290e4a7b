"""What is true of any fit: the licence, recovered scores, replicates, leaving out, effects."""
