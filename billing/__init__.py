"""Who owes whom what: enterprise invoices, merchants' payables, commission."""
