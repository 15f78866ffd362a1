UPDATE invoices
SET issued_on = coalesce(issued_on, current_date), due_on = coalesce(due_on, issued_on + 30, current_date + 30)
WHERE status <> 'draft' AND (issued_on IS NULL OR due_on IS NULL);

-- Reads every row under a lock that lets others read and write.
ALTER TABLE invoices VALIDATE CONSTRAINT invoices_issued_have_dates;
