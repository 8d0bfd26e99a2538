import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ApprovalSchema, HoldState, type Approval } from "../../src/gen/access/v1/approvals_pb";
import { RequestState } from "../../src/gen/access/v1/requests_pb";
import { ada, after, before, ben, billing, bot, ci, root, seconds } from "./people";

type Init = MessageInitShape<typeof ApprovalSchema>;

const digest = "5f2b8c19e0d7436aa1c4cb7e0d7b1e9f64a0c8d2b3f59e17c6d4a8b0e1f23947";

const remove: Init = {
  canVote: true,
  subject: {
    case: "command",
    value: {
      id: "hold-01J9ZK3V7Q8RM2N4P6T8W0X2Y4", principal: bot, resource: "orders-db", edge: "edge-eu-1", session: "ses-01j9zk3m5d7f9h1k3n5q7s9v1x", grant: "grant-01J9ZJZZ0000000000000000A1",
      statement: "DELETE FROM orders o\nUSING customers c\nWHERE o.customer_id = c.id\n  AND o.status = $1\n  AND o.created_at < now() - interval '90 days'",
      params: ["returned"], actions: ["sql:delete", "sql:filter"], tables: ["public.orders", "public.customers"],
      reason: "Bulk delete in production", requestReason: "Returned orders older than 90 days block the monthly close", ticket: "SHOP-4121",
      policyIds: ["prod-delete"], revision: 12n, requirements: [{ count: 2, group: "dba" }, { count: 1, group: "shop-owners", hours: "Mon-Fri 08:00-18:00 Europe/Berlin" }],
      votes: [{ voter: "ada@example.com", approve: true, comment: "Checked the count against the report, fine.", at: before(95), groups: ["dba"] }],
      digest, state: HoldState.PENDING, createdAt: before(140), expiresAt: after(460),
      intent: { task: "remove duplicate and returned orders of 2026-08", run: "https://agents.example.com/runs/8841", commands: ["SELECT count(*) FROM orders WHERE status = 'returned'", "DELETE FROM orders …", "VACUUM orders"], details: { model: "planner-3", conversation: "c-2291" } },
      preview: { estimatedRows: 1190, exactRows: 1248n, detail: "Counted in a transaction that was rolled back, in 38 ms", plan: "Delete on orders  (rows=1190)\n  ->  Hash Join  (rows=1190)\n        ->  Seq Scan on orders  (rows=1250)\n        ->  Hash  (rows=1000)\n              ->  Seq Scan on customers  (rows=1000)" },
    },
  },
};

const deceptive: Init = {
  canVote: true,
  subject: {
    case: "command",
    value: {
      id: "hold-01J9ZK5B1C3D5E7F9G1H3J5K7M", principal: ci, resource: "billing-db", edge: "edge-eu-1", session: "ses-01j9zk3m5d7f9h1k3n5q7s9v1y", statement: "UPDATE \u0430ccounts SET limit_eur = 100000\u202e -- 'tset' =! eman DNA\u202c\nWHERE id = 7\u200b01",
      actions: ["sql:update"], tables: ["public.accounts"], reason: "Limits are changed by two people", requestReason: "Raise the limit of a customer", policyIds: ["limits"], revision: 12n,
      requirements: [{ count: 1, group: "dba" }], digest: digest.replace("5f", "9a"), state: HoldState.PENDING, createdAt: before(31), expiresAt: after(49),
      flags: [
        { offset: 7, length: 2, kind: "confusable", detail: "U+0430, a Cyrillic letter, looks like a" },
        { offset: 39, length: 3, kind: "bidi", detail: "U+202E turns the text after it around" },
      ],
      preview: { estimatedRows: 1, detail: "Not counted: the statement calls a function that may write" },
    },
  },
};

const access: Init = {
  canVote: true,
  subject: {
    case: "request",
    value: {
      id: "req-01J9ZK6Q2R4S6T8V0W2X4Y6Z8A", principal: billing, resource: "billing-db", actions: ["sql:read", "sql:update"], duration: seconds(7200), reason: "Reconcile the invoices that failed last night", ticket: "FIN-88",
      state: RequestState.PENDING, requirements: [{ count: 1, group: "shop-owners" }], digest: digest.replace("5f", "77"), createdAt: before(700), expiresAt: after(2900), policyIds: ["prod-request"], revision: 12n,
      intent: { task: "reconcile failed invoices of 2026-11-22", run: "run-3313" }, startAt: after(1800),
    },
  },
};

const account: Init = {
  canVote: true,
  subject: {
    case: "request",
    value: {
      id: "req-01J9ZK8D4E6F8G0H2J4K6M8N0P", principal: bot, resource: "prod-aws", actions: ["aws:read", "aws:write"], duration: seconds(1800), reason: "Resize the cache of the shop", ticket: "SHOP-4130",
      state: RequestState.PENDING, requirements: [{ count: 1, group: "sre" }], digest: digest.replace("5f", "c0"), createdAt: before(20), expiresAt: after(3580), policyIds: ["privileged-role-approval"], revision: 12n,
      role: {
        roleArn: "arn:aws:iam::123456789012:role/writ/deploy", known: true, privileged: true, actionCount: 16, digest: digest.replace("5f", "d1"), boundary: "arn:aws:iam::123456789012:policy/limits",
        policies: [{ use: "attached", name: "AmazonRDSFullAccess", arn: "arn:aws:iam::aws:policy/AmazonRDSFullAccess", version: "v14" }, { use: "inline", name: "deploy" }],
        statements: [
          { use: "attached", policy: "AmazonRDSFullAccess", policyArn: "arn:aws:iam::aws:policy/AmazonRDSFullAccess", version: "v14", allResources: true, text: '{"Effect":"Allow","Action":["rds:*","cloudwatch:ListMetrics"],"Resource":"*"}', actions: [{ class: "destruction", meaning: "can delete data, or what keeps it", actions: Array.from({ length: 14 }, (_, i) => `rds:DeleteThing${i}`) }] },
          { use: "inline", policy: "deploy", index: 2, sid: "Deploy", conditional: true, text: '{\n  "Sid": "Deploy",\n  "Effect": "Allow",\n  "Action": ["lambda:Update*", "iam:PassRole"],\n  "Resource": "*",\n  "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}\n}', actions: [{ class: "execution", meaning: "can run code with the rights of what runs it", actions: ["lambda:UpdateFunctionCode"] }, { class: "pass-role", meaning: "can act with the rights of another role", actions: ["iam:PassRole"] }] },
        ],
      },
    },
  },
};

const own: Init = {
  canVote: false,
  cannotVoteBecause: "nobody approves their own request",
  subject: {
    case: "request",
    value: {
      id: "req-01J9ZK7C3D5E7F9G1H3J5K7M9N", principal: root, resource: "warehouse", actions: [], duration: seconds(3600), reason: "Look at slow queries", state: RequestState.PENDING,
      requirements: [{ count: 1, group: "dba" }], digest: digest.replace("5f", "31"), createdAt: before(60), expiresAt: after(3500), policyIds: ["prod-request"], revision: 12n,
    },
  },
};

const decided: Init = {
  subject: {
    case: "command",
    value: {
      id: "hold-01J9ZJ9P8Q0R2S4T6V8W0X2Y4Z", principal: bot, resource: "orders-db", edge: "edge-eu-1", session: "ses-01j9zk3m5d7f9h1k3n5q7s9v1x", statement: "TRUNCATE staging.imports", actions: ["sql:truncate"], tables: ["staging.imports"],
      reason: "Truncate needs a dba", requestReason: "Returned orders older than 90 days block the monthly close", policyIds: ["prod-truncate"], revision: 12n, requirements: [{ count: 1, group: "dba" }],
      votes: [{ voter: "ada@example.com", approve: true, comment: "", at: before(300), groups: ["dba"] }], digest, state: HoldState.SPENT, createdAt: before(360), expiresAt: after(200), decidedAt: before(300), spentAt: before(299),
    },
  },
};

const denied: Init = {
  subject: {
    case: "request",
    value: {
      id: "req-01J9ZH2B4C6D8E0F2G4H6J8K0M", principal: ben, resource: "warehouse", actions: ["sql:admin"], duration: seconds(28800), reason: "tests", state: RequestState.DENIED, denial: "Name what you want to change",
      requirements: [{ count: 2, group: "dba" }], votes: [{ voter: "ada@example.com", approve: false, comment: "Name what you want to change", at: before(1500), groups: ["dba"] }],
      digest, createdAt: before(1900), expiresAt: after(1700), decidedAt: before(1500), policyIds: ["prod-request"], revision: 11n,
    },
  },
};

/** approvals are an inbox with everything that an inbox may have. */
export const approvals: Approval[] = [remove, deceptive, access, account, own, decided, denied].map((init) => create(ApprovalSchema, init));

export { ada };
