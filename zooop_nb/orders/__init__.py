"""What is bought: from a request to a resolved order with its price. Rules are pure; I/O is at the edge."""
