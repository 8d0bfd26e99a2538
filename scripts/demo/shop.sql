-- A shop: 5,000 customers, 400 products, 100,000 orders and what is in them. No row is anybody's: names are drawn from
-- lists, numbers from ranges that are never given out, addresses from reserved domains.
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL, email text UNIQUE NOT NULL, phone text, ssn char(11), card text, city text NOT NULL, note text,
  created_at timestamptz NOT NULL);
CREATE TABLE products (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku text UNIQUE NOT NULL, title text NOT NULL, price numeric(10,2) NOT NULL, stock int NOT NULL);
CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers, status text NOT NULL DEFAULT 'new'
    CHECK (status IN ('new', 'paid', 'shipped', 'returned', 'cancelled')),
  total numeric(10,2) NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE order_items (
  order_id bigint REFERENCES orders ON DELETE CASCADE, product_id bigint REFERENCES products,
  quantity int NOT NULL CHECK (quantity > 0), PRIMARY KEY (order_id, product_id));

INSERT INTO customers (name, email, phone, ssn, card, city, note, created_at)
SELECT f || ' ' || l, lower(f) || '.' || lower(l) || i || '@example.' || (ARRAY['com', 'net', 'org'])[1 + i % 3],
  '+1 ' || 201 + i % 700 || ' 555 01' || lpad((i % 100)::text, 2, '0'),
  900 + i % 100 || '-' || lpad((1 + i % 98)::text, 2, '0') || '-' || lpad((1 + i % 9998)::text, 4, '0'),
  (ARRAY['4111111111111111', '5555555555554444', '378282246310005', '6011111111111117'])[1 + i % 4],
  (ARRAY['Lyon', 'Turin', 'Porto', 'Graz', 'Ghent', 'Aarhus', 'Tampere', 'Leeds'])[1 + i * 7 % 8],
  CASE WHEN i % 40 = 0 THEN 'asked to be written to at office' || i || '@example.org' WHEN i % 7 = 0 THEN 'prefers a call in the morning' END,
  timestamptz '2025-01-01' + i * interval '97 minutes'
FROM (SELECT i, (ARRAY['Alba', 'Bruno', 'Clara', 'David', 'Elena', 'Felix', 'Greta', 'Hugo', 'Iris', 'Jonas', 'Karla', 'Louis', 'Mina', 'Nils', 'Olivia', 'Paul'])[1 + i * 5 % 16] AS f,
  (ARRAY['Abel', 'Berger', 'Costa', 'Dupont', 'Eriksen', 'Ferrari', 'Garcia', 'Hansen', 'Ivanov', 'Jansen', 'Keller', 'Lopez', 'Moreau'])[1 + i * 3 % 13] AS l
  FROM generate_series(1, 5000) i) names;
INSERT INTO products (sku, title, price, stock)
SELECT 'SKU-' || lpad(i::text, 4, '0'),
  (ARRAY['Walnut', 'Steel', 'Linen', 'Cork', 'Ceramic', 'Wool', 'Glass', 'Leather'])[1 + i % 8] || ' ' ||
  (ARRAY['lamp', 'chair', 'mug', 'tray', 'shelf', 'blanket', 'vase', 'notebook', 'clock', 'basket'])[1 + i * 3 % 10] || ' no. ' || i,
  4 + i * 37 % 296 + 0.90, i * 13 % 250
FROM generate_series(1, 400) i;
INSERT INTO orders (customer_id, status, total, created_at)
SELECT 1 + i * 17::bigint % 5000,
  CASE WHEN i % 100 < 3 THEN 'cancelled' WHEN i % 100 < 9 THEN 'returned' WHEN i % 100 < 20 THEN 'new' WHEN i % 100 < 40 THEN 'paid' ELSE 'shipped' END,
  8 + i * 31::bigint % 492 + 0.50, timestamptz '2025-07-01' + i * interval '4 minutes'
FROM generate_series(1, 100000) i;
INSERT INTO order_items (order_id, product_id, quantity)
SELECT i, 1 + (i * 7 + n * 131) % 400, 1 + (i + n) % 4 FROM generate_series(1, 100000) i, generate_series(0, 1) n;

CREATE VIEW customer_contacts AS SELECT id, name, email AS contact, city FROM customers;
CREATE FUNCTION customer_email(who bigint) RETURNS text LANGUAGE plpgsql STABLE
  AS $$ BEGIN RETURN (SELECT email FROM customers WHERE id = who); END $$;
CREATE ROLE shop_rw;
GRANT USAGE ON SCHEMA public TO shop_rw;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop_rw;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop_rw;
ANALYZE;
