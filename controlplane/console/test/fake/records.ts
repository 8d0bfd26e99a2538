import { now } from "./people";

/** Raw is a record in the JSON form of pkg/audit. */
type Raw = Record<string, unknown>;

const sql = [
  ["SELECT id, email, total FROM orders JOIN customers ON customers.id = orders.customer_id WHERE status = $1 LIMIT 5", "SELECT 5"],
  ["SELECT count(*) FROM orders WHERE status = 'returned'", "SELECT 1"],
  ["UPDATE orders SET status = 'archived' WHERE id = 4711", "UPDATE 1"],
];

/** recording is a session: opened, with allowed, masked, denied and held commands, and an error of the target. */
export function recording(session: string): Raw[] {
  let at = now - 900_000;
  let seq = 0;
  const rec = (kind: string, wait: number, more: Raw): Raw => ({ id: `rec-${++seq}`, seq, time: new Date((at += wait)).toISOString(), kind, session, edge: "edge-eu-1", principal: "order-cleaner", resource: "orders-db", ...more });
  const allow = (command: string, statement: string, more: Raw = {}) => rec("command", 1400, { command, statement, decision: "allow", policy_ids: ["agents-read"], revision: 12, ...more });
  return [
    rec("session_open", 0, { client_addr: "10.0.4.17:53312", application: "order-cleaner/1.4", protocol: "postgres" }),
    allow("c1", sql[0]![0]!, { params: ["returned"], actions: ["sql:select"] }),
    rec("rows", 12, {
      command: "c1", columns: ["id", "email", "total"], masked_columns: ["public.customers.email"],
      rows: [["4711", "****************.com", "120.50"], ["4712", "****************.com", "88.00"], ["4715", null, "12.25"], ["4719", { base64: "/w==" }, "3.10"]],
    }),
    rec("outcome", 3, { command: "c1", command_tag: sql[0]![1], row_count: 5, duration: "14.2ms", masked_columns: ["public.customers.email"] }),
    allow("c2", sql[1]![0]!),
    rec("outcome", 6, { command: "c2", command_tag: sql[1]![1], row_count: 1, duration: "5.1ms" }),
    rec("refusal", 5200, { command: "c3", statement: "DROP TABLE orders", decision: "deny", policy_ids: ["no-schema-changes"], revision: 12, reason: "Agents do not change schemas; open a migration" }),
    rec("hold", 8000, { command: "c4", statement: "DELETE FROM orders o\nUSING customers c\nWHERE o.customer_id = c.id AND o.status = $1", params: ["returned"], decision: "hold", policy_ids: ["prod-delete"], revision: 12, reason: "Bulk delete in production", hold_id: "hold-01J9ZK3V7Q8RM2N4P6T8W0X2Y4" }),
    rec("hold_decided", 95_000, { command: "c4", decision: "allow", hold_id: "hold-01J9ZK3V7Q8RM2N4P6T8W0X2Y4", reason: "approved by ada@example.com" }),
    rec("command", 20, { command: "c4", decision: "allow", policy_ids: ["agents-write", "prod-delete"], revision: 12 }),
    rec("outcome", 38, { command: "c4", command_tag: "DELETE 1248", duration: "38ms" }),
    allow("c5", "SELECT * FROM no_such_table"),
    rec("outcome", 2, { command: "c5", error_code: "42P01", error_message: 'relation "no_such_table" does not exist' }),
    allow("c6", sql[2]![0]!, { policy_ids: ["agents-write"] }),
    rec("outcome", 4, { command: "c6", command_tag: sql[2]![1], duration: "2.9ms" }),
    rec("notice", 400, { reason: "the grant ends in 5 min" }),
  ];
}

/** cluster is a session with a Kubernetes cluster: requests, an exec with a terminal, and a port-forward. */
export function cluster(session: string): Raw[] {
  let at = now - 600_000;
  let began = at;
  let seq = 0;
  const rec = (kind: string, wait: number, more: Raw): Raw => ({ id: `rec-k${++seq}`, seq, time: new Date((at += wait)).toISOString(), kind, session, edge: "edge-eu-1", principal: "order-cleaner", resource: "shop-eks", ...more });
  const allow = (command: string, statement: string, more: Raw = {}) => ((began = at), rec("command", 900, { command, statement, decision: "allow", policy_ids: ["agents-debug"], revision: 12, ...more }));
  const piece = (command: string, stream: string, wait: number, data: unknown) => rec("stream", wait, { command, duration: `${at + wait - began}ms`, bytes: String(data).length, params: [data], attrs: [{ name: "stream", value: stream }] });
  const files = "\x1b[0m\x1b[01;34mbin\x1b[0m  \x1b[01;32mrun.sh\x1b[0m  notes.txt  \x1b[30;43mtmp\x1b[0m\r\n";
  return [
    rec("session_open", 0, { client_addr: "10.0.4.17:53390", application: "kubectl/v1.33.1", protocol: "kubernetes" }),
    allow("c1", "GET /api/v1/namespaces/shop/pods?limit=500"),
    rec("outcome", 21, { command: "c1", command_tag: "200 OK", bytes: 18_233, duration: "21.4ms" }),
    allow("c2", "PATCH /apis/apps/v1/namespaces/shop/deployments/web?fieldManager=kubectl", { params: ['{"spec":{"replicas":3}}'] }),
    rec("outcome", 30, { command: "c2", command_tag: "200 OK", bytes: 2_100, duration: "30ms" }),
    rec("refusal", 4000, { command: "c3", statement: "DELETE /api/v1/namespaces/shop", decision: "deny", policy_ids: ["no-namespaces"], revision: 12, reason: "Namespaces are deleted by their owners" }),
    allow("c4", "exec shop/web-7d9f -c web -- sh"),
    piece("c4", "resize", 20, "80x24"),
    piece("c4", "stdout", 100, "\x1b]0;web\x07\x1b[1;32m/app\x1b[0m # "),
    piece("c4", "stdin", 2000, "ls\r"),
    piece("c4", "stdout", 5, "ls\r\n" + files + "\x1b[1;32m/app\x1b[0m # "),
    piece("c4", "stdin", 3000, "echo gr\u00fc\u00df \u6771\u4eac\r"),
    piece("c4", "stdout", 5, { base64: btoa(String.fromCharCode(...new TextEncoder().encode("echo grüß 東京\r\ngrüß 東京\r\n\x1b[1;32m/app\x1b[0m # "))) }),
    piece("c4", "stdin", 2000, "[withheld]\r"),
    piece("c4", "stdout", 5, "su\r\nPassword: \r\n\x1b[7m logged in \x1b[0m\r\n# "),
    rec("outcome", 3000, { command: "c4", command_tag: "exit 0", duration: "11.1s" }),
    allow("c5", "exec shop/web-7d9f -c web -- cat access.log"),
    piece("c5", "stdout", 20, "10.0.0.1 GET /\n10.0.0.2 GET /cart\u202e\n"),
    piece("c5", "note", 1, "stdout: the first 1048576 of 5242880 bytes are recorded"),
    rec("outcome", 300, { command: "c5", command_tag: "exit 0", duration: "321ms" }),
    allow("c6", "portforward shop/web-7d9f 8080"),
    rec("outcome", 9000, { command: "c6", command_tag: "101 Switching Protocols", duration: "9s", attrs: [{ name: "port 8080 sent", value: "812" }, { name: "port 8080 received", value: "90113" }] }),
  ];
}

const calls = ["ApprovalService/Approve", "PolicyService/PushPolicy", "GrantService/RevokeGrant", "LockService/CreateLock"];

/** found are what a search of the records finds. */
export function found(): Raw[] {
  const admin = calls.map((call, i): Raw => ({
    id: `rec-a${i}`, time: new Date(now - i * 340_000 - 20_000).toISOString(), kind: "admin", principal: i % 2 ? "root@example.com" : "ada@example.com", decision: i === 3 ? "deny" : "allow",
    attrs: [{ name: "method", value: `/access.v1.${call}` }, { name: "phase", value: "done" }, { name: "id", value: "hold-01J9ZK3V7Q8RM2N4P6T8W0X2Y4" }], ...(i === 3 && { reason: "roles: admin is needed" }),
  }));
  return [...recording("ses-01j9zk3m5d7f9h1k3n5q7s9v1x"), ...admin].sort((a, b) => (String(a.time) < String(b.time) ? 1 : -1));
}
