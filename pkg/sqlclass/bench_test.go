package sqlclass

import "testing"

var benchTexts = map[string]string{
	"pk":   `SELECT id, name, email FROM customers WHERE id = $1`,
	"join": `SELECT c.name, o.total, o.note FROM customers c JOIN orders o ON o.customer_id = c.id LEFT JOIN notes n ON n.id = o.id WHERE c.email = $1 AND o.total > 10 ORDER BY o.total DESC LIMIT 10`,
	"view": `SELECT who, up FROM names2 WHERE who = $1`,
	"cte":  `WITH d AS (DELETE FROM orders WHERE id = $1 RETURNING *) INSERT INTO notes SELECT id, note FROM d RETURNING *`,
}

func BenchmarkClassifyHit(b *testing.B) {
	c, cat, s := classifier(b), shop(b), publicSession()
	for name, text := range benchTexts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Classify(text, cat, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClassifyMiss(b *testing.B) {
	c, cat, s := classifier(b), shop(b), publicSession()
	for name, text := range benchTexts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.classify(text, cat, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
