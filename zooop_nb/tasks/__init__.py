"""How an order is bought: quoted, confirmed, submitted, followed to its end, and resumed."""
