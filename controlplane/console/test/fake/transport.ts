import { Code, ConnectError, createRouterTransport, type Transport } from "@connectrpc/connect";
import { ApprovalService, HoldState, type Approval } from "../../src/gen/access/v1/approvals_pb";
import { RefusalSchema } from "../../src/gen/access/v1/common_pb";
import { EdgeService, LockService, LockTarget } from "../../src/gen/access/v1/edges_pb";
import { IdentityService, PrincipalService } from "../../src/gen/access/v1/identity_pb";
import { DeliveryState, NotificationService } from "../../src/gen/access/v1/notifications_pb";
import { PolicyService } from "../../src/gen/access/v1/policies_pb";
import { GrantService, RequestService, RequestState } from "../../src/gen/access/v1/requests_pb";
import { ResourceService } from "../../src/gen/access/v1/resources_pb";
import { AuditService, SessionService } from "../../src/gen/access/v1/sessions_pb";
import { approvals } from "./approvals";
import { ada, after, before, ben, billing, bot, ci, everybody, now, root, seconds } from "./people";
import { bundle, older } from "./policy";
import { cluster, found, recording } from "./records";

/** Scene is what kind of control plane the pages are shown against. */
export type Scene = "full" | "empty" | "broken" | "signed-out" | "member";

/** fakeTransport answers every call of access.v1 in the page itself. */
export function fakeTransport(scene: Scene): Transport {
  const some = <T>(rows: T[]): T[] => (scene === "empty" ? [] : rows);
  const check = () => {
    if (scene === "broken") throw new ConnectError("the control plane cannot reach its store now; try again", Code.Unavailable);
  };
  return createRouterTransport((router) => {
    router.service(IdentityService, {
      whoAmI: () => {
        if (scene === "signed-out") throw new ConnectError("sign in first", Code.Unauthenticated);
        return { principal: scene === "member" ? ben : root, roles: scene === "member" ? ["member"] : ["member", "auditor", "admin"], expiresAt: after(3600) };
      },
      listSignInMethods: () => ({ methods: [{ method: { case: "openid", value: { name: "Example Corp", issuer: "https://login.example.com", browserPath: "/signin/oidc/0" } } }] }),
    });
    router.service(ApprovalService, {
      getApproval: ({ id }) => (check(), { approval: one(id) }),
      approve: ({ id }) => ({ approval: voted(id, true) }),
      deny: ({ id }) => ({ approval: voted(id, false) }),
      async *watchApprovals(_, { signal }) {
        check();
        yield { approvals: some(approvals), complete: true };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    router.service(RequestService, {
      listRequests: () => (check(), { requests: some(requests()) }),
      createRequest: () => {
        const repair = { resource: "orders-db", actions: ["sql:read"], dropped: ["sql:admin"], duration: seconds(1800), reasonRequired: true, requirements: [{ count: 1, group: "dba" }] };
        throw new ConnectError("policy does not permit sql:admin on orders-db", Code.PermissionDenied, undefined, [{ desc: RefusalSchema, value: { resource: "orders-db", reason: "", policyIds: [], repair } }]);
      },
    });
    router.service(GrantService, { listGrants: () => (check(), { grants: some(grants()) }), getGrant: ({ id }) => ({ grant: grants().find((g) => g.id === id) ?? grants()[0] }), revokeGrant: () => ({ sessionsEnded: 1 }) });
    router.service(SessionService, {
      listSessions: ({ pageToken, limit }) => (check(), page(some(sessions()), pageToken, limit)),
      getSession: ({ id }) => (check(), { session: { ...sessions()[0], id, commands: 6n, denied: 1n, ...(id.includes("kube") && { protocol: "kubernetes", resource: "shop-eks", application: "kubectl/v1.33.1" }) } }),
      async *replaySession({ id, follow }, { signal }) {
        for (const raw of id.includes("kube") ? cluster(id) : recording(id)) yield { record: { json: JSON.stringify(raw) } };
        if (follow) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      killSession: () => ({}),
    });
    router.service(AuditService, {
      searchRecords: ({ pageToken }) => {
        check();
        const records = some(pageToken ? [] : found()).map((raw) => ({ id: String(raw.id), kind: String(raw.kind), session: String(raw.session ?? ""), principal: String(raw.principal), resource: String(raw.resource ?? ""), time: { seconds: BigInt(Math.floor(Date.parse(String(raw.time)) / 1000)), nanos: 0 }, json: JSON.stringify(raw) }));
        return { records, searchedBackTo: before(86_400), nextPageToken: pageToken ? "" : "more" };
      },
    });
    router.service(PrincipalService, {
      listPrincipals: ({ query }) => (check(), { principals: some(everybody.filter((p) => p.name.includes(query))).map((principal, i) => ({ principal, signedInAt: before(i * 4000 + 30), liveSessions: i % 3, activeGrants: i % 4, locked: principal === ci })) }),
      endLogins: () => ({ loginsEnded: 2 }),
    });
    router.service(ResourceService, { listResources: () => (check(), { resources: some(resources()) }), getResource: ({ name }) => ({ resource: resources().find((r) => r.name === name) ?? resources()[0] }) });
    router.service(EdgeService, { listEdges: () => (check(), { edges: some(edges()) }), createJoinToken: () => ({ token: "wjt_Zm9yLXRoZS1zY3JlZW5zaG90LW9ubHktbm90LWEtdG9rZW4", pin: "sha256:" + "ab12".repeat(16), address: "writ.example.com:8444", expiresAt: after(3600) }) });
    router.service(PolicyService, {
      pullPolicy: ({ revision }) => {
        check();
        if (scene === "empty") throw new ConnectError("no policy yet", Code.NotFound);
        return { revision: { number: revision || 12n }, bundle: revision === 11n ? older : bundle };
      },
      testPolicy: ({ bundle: tested }) => (check(), verdict(tested?.files ?? {})),
      listRevisions: () => (check(), { revisions: some(revisions()), enforced: { "edge-eu-1": 12n, "edge-us-1": 11n } }),
      pushPolicy: () => ({ revision: { number: 13n } }),
    });
    router.service(LockService, { listLocks: () => (check(), { locks: some(locks()) }), createLock: () => ({ sessionsEnded: 1 }), removeLock: () => ({}) });
    router.service(NotificationService, { listDeliveries: () => (check(), { deliveries: some(deliveries()), receivers: some(["ops-webhook", "slack-approvals"]) }) });
  });
}

function one(id: string): Approval {
  const approval = approvals.find((a) => a.subject.value?.id === id);
  if (!approval) throw new ConnectError("nothing of that id waits or waited", Code.NotFound);
  return approval;
}

function voted(id: string, approve: boolean): Approval {
  const approval = structuredClone(one(id));
  approval.canVote = false;
  if (approval.subject.case === "command") approval.subject.value.state = approve ? HoldState.APPROVED : HoldState.DENIED;
  if (approval.subject.case === "request") approval.subject.value.state = approve ? RequestState.GRANTED : RequestState.DENIED;
  return approval;
}

function requests() {
  const filed = approvals.flatMap(({ subject }) => (subject.case === "request" ? [subject.value] : []));
  const more = { id: "req-01J9ZG0000000000000000000B", principal: ada, resource: "orders-db", duration: seconds(900), reason: "Database is down, primary does not answer", state: RequestState.GRANTED, breakGlass: true, createdAt: before(9000), actions: ["sql:read", "sql:admin"] };
  return [...filed, more];
}

function grants() {
  return [
    { id: "grant-01J9ZJZZ0000000000000000A1", principal: bot, resource: "orders-db", actions: ["sql:read", "sql:delete"], reason: "Returned orders older than 90 days block the monthly close", ticket: "SHOP-4121", request: "req-01J9ZJ0000000000000000000A", startsAt: before(1500), expiresAt: after(2100), active: true, intent: { task: "remove duplicate and returned orders of 2026-08" } },
    { id: "grant-01J9ZG00000000000000000002", principal: ada, resource: "orders-db", actions: ["sql:read", "sql:admin"], reason: "Database is down, primary does not answer", startsAt: before(9000), expiresAt: before(8100), breakGlass: true },
    { id: "grant-01J9ZG00000000000000000003", principal: ci, resource: "billing-db", actions: [], reason: "Migration 2026-11-23", startsAt: before(4000), expiresAt: after(400), revokedAt: before(600), revokedBy: "root@example.com", revokeReason: "wrong branch" },
    { id: "grant-01J9ZG00000000000000000004", principal: root, resource: "warehouse", actions: ["sql:read"], reason: "Slow queries", startsAt: after(3600), expiresAt: after(7200) },
    { id: "grant-01J9ZG00000000000000000005", principal: billing, resource: "billing-db", actions: ["sql:read"], reason: "Reconcile invoices", startsAt: before(300), expiresAt: after(42), active: true },
  ];
}

const clients = ["psql", "order-cleaner/1.4", "DBeaver 24.2", "migrate", "metabase"];

function sessions() {
  return Array.from({ length: 10_000 }, (_, i) => ({
    id: i === 0 ? "ses-01j9zk3m5d7f9h1k3n5q7s9v1x" : `ses-01j9zk3m5d7f9h1k3n5q${String(i).padStart(6, "0")}`, principal: everybody[(i + 3) % everybody.length], resource: ["orders-db", "billing-db", "warehouse"][i % 3]!, edge: ["edge-eu-1", "edge-us-1"][i % 2]!,
    grant: "grant-01J9ZJZZ0000000000000000A1", protocol: "postgres", clientAddr: `10.0.${i % 250}.17:5${String(i % 9999).padStart(4, "0")}`, application: clients[i % clients.length]!, startedAt: before(900 + i * 3), live: i % 11 !== 4,
    ...(i % 11 === 4 && { endedAt: before(400), endReason: "client closed the connection" }), requestReason: "Returned orders older than 90 days block the monthly close", commands: BigInt((i * 37) % 4000), denied: BigInt(i % 7 === 0 ? i % 5 : 0),
  }));
}

function page<T>(all: T[], token: string, limit: number) {
  const from = Number(token || 0);
  const to = from + (limit || 100);
  return { sessions: all.slice(from, to), nextPageToken: to < all.length ? String(to) : "" };
}

const labels = (of: Record<string, string>) => of;

function resources() {
  const postgres = (endpoint: string, database: string, classes: Record<string, { columns: string[] }>) => ({ case: "postgres" as const, value: { endpoint, database, classes, credential: { source: { case: "dynamic" as const, value: { adminUser: "writ", memberOf: ["shop_rw"] } } }, safeFunctions: ["public.slug"] } });
  return [
    { name: "orders-db", description: "Orders of the shop", labels: labels({ env: "prod", team: "shop" }), edges: ["edge-eu-1", "edge-us-1"], version: 7n, updatedAt: before(86_000), target: postgres("orders.cluster-c1.eu-central-1.rds.amazonaws.com:5432", "shop", { pii: { columns: ["public.customers.email", "public.customers.phone", "public.customers.ssn"] }, secret: { columns: ["public.customers.card"] } }) },
    { name: "billing-db", description: "Invoices and limits", labels: labels({ env: "prod", team: "finance" }), edges: ["edge-eu-1"], version: 3n, updatedAt: before(400_000), target: postgres("billing.internal:5432", "billing", {}) },
    { name: "warehouse", description: "Analytics", labels: labels({ env: "prod", team: "data", tier: "2" }), edges: ["edge-us-1"], version: 1n, updatedAt: before(900_000), target: postgres("warehouse.internal:5432", "dwh", { pii: { columns: ["mart.people.email"] } }) },
  ];
}

function edges() {
  const edge = (name: string, more: object) => ({ name, names: [`${name}.internal`], connected: true, revision: 12n, newestRevision: 12n, version: "0.3.0", enrolledAt: before(800_000), seenAt: before(1), endpoints: [`${name}.internal:6432`], liveSessions: 12, ...more });
  return [edge("edge-eu-1", { recordLag: { seconds: 0n, nanos: 40_000_000 } }), edge("edge-us-1", { revision: 11n, policyError: "shop.cedar:9: unknown action sql:merge2; this edge is older", liveSessions: 4, version: "0.2.9" }), edge("edge-ap-1", { connected: false, seenAt: before(7400), liveSessions: 0, recordLag: seconds(7400) })];
}

function verdict(files: Record<string, Uint8Array>) {
  const text = new TextDecoder().decode(files["shop.cedar"]);
  const line = text.split("\n").findIndex((l) => l.includes("sql:reads")) + 1;
  const problems = line > 0 ? [{ file: "shop.cedar", line, column: text.split("\n")[line - 1]!.indexOf("Action::") + 1, message: "unknown action sql:reads", hint: "did you mean sql:read?" }] : [];
  return { problems, tests: problems.length > 0 ? [] : [{ file: "shop_test.yaml", name: "an agent drops nothing", passed: true, line: 8 }, { file: "shop_test.yaml", name: "a bulk delete waits", passed: true, line: 16 }] };
}

function revisions() {
  const messages = ["starter policy", "agents may read", "mask personal data", "no deletes by agents", "back to 3", "limits need two people", "hours for owners", "analysts", "records of rows", "close the billing hole", "one approver for deletes", "two approvers for bulk deletes"];
  return messages.map((message, i) => ({ number: BigInt(i + 1), message, author: i % 3 ? "root@example.com" : "ada@example.com", createdAt: before((12 - i) * 50_000), policies: 4 + i, rollbackOf: i === 4 ? 3n : 0n }));
}

function locks() {
  return [
    { id: "lock-1", target: LockTarget.PRINCIPAL, name: ci.name, reason: "Token leaked in a build log", createdBy: "root@example.com", createdAt: before(300), expiresAt: after(3000) },
    { id: "lock-2", target: LockTarget.RESOURCE, name: "warehouse", reason: "Restore runs", createdBy: "ada@example.com", createdAt: before(7000) },
  ];
}

function deliveries() {
  const events = ["approval.requested", "approval.decided", "glass.broken", "lock.created", "test"];
  return events.map((event, i) => ({
    id: `dlv-${i}`, event, receiver: i % 2 ? "slack-approvals" : "ops-webhook", subject: i === 0 ? "hold-01J9ZK3V7Q8RM2N4P6T8W0X2Y4" : i === 2 ? "grant-01J9ZG00000000000000000002" : "", attempts: i === 2 ? 8 : 1, createdAt: before(i * 900 + 12),
    state: i === 2 ? DeliveryState.DEAD : i === 1 ? DeliveryState.PENDING : DeliveryState.DELIVERED, ...(i === 1 || i === 2 ? { error: "answered 503 Service Unavailable" } : { deliveredAt: before(i * 900 + 11) }), ...(i === 1 && { nextAttemptAt: after(48) }),
  }));
}

export { now };
