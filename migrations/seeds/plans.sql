INSERT INTO plans (code, name, monthly_price_cents, max_projects) VALUES
  ('free', 'Free', 0, 3),
  ('team', 'Team', 2900, 50),
  ('business', 'Business', 9900, NULL)
ON CONFLICT (code) DO NOTHING;
