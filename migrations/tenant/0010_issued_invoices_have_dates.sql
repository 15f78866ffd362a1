-- NOT VALID: holds for new rows from now on, and takes its lock for an instant only. The rows that are there are checked by the next one.
ALTER TABLE invoices
  ADD CONSTRAINT invoices_issued_have_dates
  CHECK (status = 'draft' OR (issued_on IS NOT NULL AND due_on IS NOT NULL)) NOT VALID;
