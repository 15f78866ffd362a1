ALTER TABLE invoices ADD COLUMN total_cents bigint;

UPDATE invoices
SET total_cents = coalesce(
  (SELECT round(sum(quantity * unit_price_cents)) FROM invoice_lines WHERE invoice_id = invoices.id),
  0
);

ALTER TABLE invoices
  ALTER COLUMN total_cents SET DEFAULT 0,
  ALTER COLUMN total_cents SET NOT NULL;
