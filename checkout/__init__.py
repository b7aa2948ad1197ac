"""The unified cashier: quote, order, funding, tenders, gateways, after-sale."""
