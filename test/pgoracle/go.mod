module github.com/writhq/writ/test/pgoracle

go 1.26.8

require (
	github.com/pganalyze/pg_query_go/v6 v6.2.5
	github.com/writhq/writ v0.0.0
)

require (
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	github.com/sqlc-dev/oliphant v0.2.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/writhq/writ => ../..
