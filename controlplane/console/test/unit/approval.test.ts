import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { problem } from "../../src/api/problem";
import { ApprovalSchema, HoldState } from "../../src/gen/access/v1/approvals_pb";
import { RefusalSchema } from "../../src/gen/access/v1/common_pb";
import { RequestState } from "../../src/gen/access/v1/requests_pb";
import { sections } from "../../src/pages/approvals/sections";
import { fromSearch, message, toSearch } from "../../src/pages/audit/filter";
import { matter, requirement } from "../../src/text/approval";

const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const hold = (id: string, more: object, canVote = true) => create(ApprovalSchema, { canVote, subject: { case: "command", value: { id, state: HoldState.PENDING, ...more } } });

test("the inbox: mine first, soonest to expire first, then others', then what was decided last", () => {
  const all = [
    hold("later", { expiresAt: at(900) }), hold("sooner", { expiresAt: at(100) }), hold("theirs", { expiresAt: at(50) }, false),
    hold("old", { state: HoldState.DENIED, decidedAt: at(10) }), hold("new", { state: HoldState.SPENT, decidedAt: at(20) }), create(ApprovalSchema, {}),
  ];
  expect(sections(all).map((s) => [s.name, s.approvals.map((a) => a.subject.value?.id)])).toEqual([
    ["Waiting for you", ["sooner", "later"]], ["Waiting for others", ["theirs"]], ["Decided just now", ["new", "old"]],
  ]);
  expect(sections([])).toEqual([]);
});

test("only what is pending can be decided, and an unknown state is not", () => {
  const states = Object.values(HoldState).filter((s): s is HoldState => typeof s === "number");
  expect(states.filter((state) => matter(hold("h", { state }))?.status.pending)).toEqual([HoldState.PENDING]);
  expect(matter(hold("h", { state: 99 }))?.status).toEqual({ label: "Unknown", tone: "neutral", pending: false });
  const request = create(ApprovalSchema, { subject: { case: "request", value: { id: "r", state: RequestState.GRANTED } } });
  expect(matter(request)?.status.pending).toBe(false);
});

test("requirement", () => {
  expect(requirement({ count: 2, group: "dba", hours: "" } as never)).toBe("2 of dba");
  expect(requirement({ count: 1, group: "owners", hours: "Mon-Fri 08:00-18:00 UTC" } as never)).toBe("1 of owners, Mon-Fri 08:00-18:00 UTC");
});

test("every error has a next step", () => {
  for (const code of Object.values(Code).filter((c): c is Code => typeof c === "number")) {
    const found = problem(new ConnectError("something is off", code));
    expect(found.detail).toBe("Something is off.");
    expect(found.title && found.next).toBeTruthy();
  }
  expect(problem(new TypeError("Failed to fetch")).next).toBeTruthy();
});

test("a refusal carries what would be permitted", () => {
  const error = new ConnectError("no", Code.PermissionDenied, undefined, [{ desc: RefusalSchema, value: { repair: { actions: ["sql:read"] } } }]);
  expect(problem(error).refusal?.repair?.actions).toEqual(["sql:read"]);
});

test("the address of a search is the search", () => {
  const filter = fromSearch(new URLSearchParams("decision=deny&text=drop+table&back=custom&from=2026-11-01T10:00"));
  expect(fromSearch(new URLSearchParams(toSearch(filter)))).toEqual(filter);
  expect(toSearch(fromSearch(new URLSearchParams()))).toEqual({});
  const sent = message(fromSearch(new URLSearchParams("back=1h&policy=p")), 7_200_000);
  expect([sent.policyId, sent.from?.seconds, sent.until?.seconds]).toEqual(["p", 3600n, 7200n]);
  expect(message(fromSearch(new URLSearchParams("back=custom")), 1).until).toBeUndefined();
});
