-- Addresses and handles compare without case. For tenants in schemas this is carried out once in the shared schema `extensions`.
CREATE EXTENSION IF NOT EXISTS citext;
