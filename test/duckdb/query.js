// query.js SQL: runs one statement in an empty DuckDB in memory and prints its rows as JSON, one array a line, integers as strings.
import { DuckDBInstance } from '@duckdb/node-api';

const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
const connection = await instance.connect();
await connection.run("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false; SET TimeZone = 'UTC'");
const result = await connection.runAndReadAll(process.argv[2]);
for (const row of result.getRowsJson()) console.log(JSON.stringify(row));
