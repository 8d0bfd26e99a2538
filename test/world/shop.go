package world

// Schema is a shop with data that wants masking.
const Schema = `
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE NOT NULL, phone text, ssn char(11),
  card text, note text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE products (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text UNIQUE NOT NULL, title text NOT NULL, price numeric(10,2) NOT NULL);
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, status text NOT NULL DEFAULT 'new',
  total numeric(10,2) NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE order_items (order_id bigint REFERENCES orders ON DELETE CASCADE, product_id bigint REFERENCES products, quantity int NOT NULL, PRIMARY KEY (order_id, product_id));
INSERT INTO customers (name, email, phone, ssn, card, note)
  SELECT 'Customer ' || i, 'customer' || i || '@example.com', '+1 415 555 ' || lpad((i % 10000)::text, 4, '0'),
    lpad((100 + i % 800)::text, 3, '0') || '-' || lpad((1 + i % 98)::text, 2, '0') || '-' || lpad((1 + i % 9998)::text, 4, '0'), '4111111111111111',
    CASE WHEN i % 50 = 0 THEN 'reach me at backup' || i || '@example.net' ELSE 'regular' END
  FROM generate_series(1, 1000) i;
INSERT INTO products (sku, title, price) SELECT 'SKU-' || i, 'Product ' || i, (i % 100) + 0.99 FROM generate_series(1, 200) i;
INSERT INTO orders (customer_id, total, status) SELECT 1 + i % 1000, (i % 500) + 0.50, (ARRAY['new','paid','shipped','returned'])[1 + i % 4] FROM generate_series(1, 5000) i;
INSERT INTO order_items SELECT o, 1 + o % 200, 1 + o % 5 FROM generate_series(1, 5000) o;
CREATE VIEW customer_contacts AS SELECT id, name, email AS contact FROM customers;
CREATE FUNCTION customer_email(who bigint) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT email FROM customers WHERE id = who); END $$;
CREATE ROLE shop_rw; GRANT USAGE ON SCHEMA public TO shop_rw; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_rw;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop_rw;
ANALYZE;
`

// Manifest is the shop in the inventory, with a role for each session.
const Manifest = `
kind: postgres
name: orders-db
description: Orders of the shop
labels: {env: demo, team: shop}
edges: [edge-a]
endpoint: "%{endpoint}"
database: shop
allow_loopback: true
tls: {mode: verify-full, ca_file: "%{ca}"}
credential:
  dynamic: {admin_user: "%{superuser}", admin_password_file: "%{password}", member_of: [shop_rw], connection_limit: 2}
classes:
  pii: [public.customers.email, public.customers.phone, public.customers.ssn]
  secret: [public.customers.card]
`
