import { describe, expect, test } from "vitest";
import { events, until } from "../../src/text/events";
import { marks, reached, track } from "../../src/text/playback";
import { nameOf, parseRecord, shownValue, summary, toneOf, type Rec } from "../../src/text/record";

const rec = (more: object) => parseRecord(JSON.stringify({ id: "r", kind: "command", time: "2026-03-01T12:00:00Z", ...more }))!;

describe("parseRecord", () => {
  test.each(["", "null", "7", "[]", "{}", '{"kind":3}', "{"])("%j is none", (json) => expect(parseRecord(json)).toBeUndefined());

  test("values of every form", () => {
    const { params, rows } = rec({ params: ["7", null, { base64: "/w==" }, { odd: 1 }], rows: [["a", null], "no row"] });
    expect(params.map(shownValue)).toEqual(["7", "NULL", "base64:/w==", '{"odd":1}']);
    expect(rows).toEqual([["a", null], []]);
  });

  test("fields of another form are left out", () => {
    const odd = rec({ statement: 4, policy_ids: ["a", 3], attrs: [{ name: "n", value: "v" }, null, { name: 1 }], row_count: "x" });
    expect(odd).toMatchObject({ statement: "", policyIds: ["a"], attrs: [{ name: "n", value: "v" }], rowCount: 0 });
  });
});

test.each<[object, string, string, string]>([
  [{ kind: "session_open", resource: "db", edge: "", client_addr: "h", application: "psql" }, "Session opened", "neutral", "on db from h with psql"],
  [{ decision: "allow", policy_ids: ["a", "b"], revision: 4 }, "Allowed", "good", "by a, b at revision 4"],
  [{ kind: "refusal", decision: "deny", reason: "no DDL" }, "Denied", "bad", "because no DDL"],
  [{ kind: "outcome", command_tag: "SELECT 2", duration: "3.341916ms" }, "Done", "neutral", "SELECT 2 in 3.34 ms"],
  [{ kind: "outcome", error_code: "42601", error_message: "syntax error" }, "Failed", "bad", "42601 syntax error"],
  [{ kind: "admin", decision: "deny", reason: "roles", attrs: [{ name: "method", value: "/access.v1.LockService/CreateLock" }, { name: "id", value: "x" }] }, "Call", "bad", "LockService.CreateLock id=x denied because roles"],
  [{ kind: "lock", decision: "allow", attrs: [{ name: "method", value: "/access.v1.LockService/CreateLock" }, { name: "phase", value: "done" }] }, "Lock", "info", "LockService.CreateLock"],
  [{ kind: "newer_kind", reason: "x" }, "newer kind", "neutral", "because x"],
])("%j", (raw, name, tone, text) => {
  const r = rec(raw);
  expect([nameOf(r), toneOf(r), summary(r)]).toEqual([name, tone, text]);
});

describe("playback", () => {
  const laid = track([1000, 1500, 0, 1400, 60_000, 60_000]);
  test("long rests are cut, and time never goes back", () => expect(laid).toEqual({ at: [0, 500, 500, 500, 3500, 3500], length: 3500 }));
  test.each([[0, 1], [499, 1], [500, 4], [3499, 4], [3500, 6], [-1, 0], [Infinity, 6]])("at %d, %d are played", (position, want) => expect(reached(laid, position)).toBe(want));
  test("a recording of nothing", () => expect([track([]), reached(track([]), 5), marks(track([]), () => ({ value: 1, rank: 1 }))]).toEqual([{ at: [], length: 0 }, 0, []]));
  test("the worst of a stretch is marked", () => {
    const found = marks(laid, (i) => ({ value: i, rank: i === 2 ? 9 : 0 }), 7);
    expect(found).toEqual([{ bin: 0, what: 0 }, { bin: 1, what: 2 }, { bin: 6, what: 4 }]);
  });
});

test("events join a command with what became of it", () => {
  const all: Rec[] = [rec({ kind: "session_open" }), rec({ command: "a" }), rec({ command: "b" }), rec({ kind: "outcome", command: "a" })];
  const joined = events(all);
  const shape = (of: typeof joined) => of.map((e) => [e.index, e.rest.map((r) => r.index)]);
  expect(shape(joined)).toEqual([[0, []], [1, [3]], [2, []]]);
  expect(shape(until(joined, 3))).toEqual([[0, []], [1, []], [2, []]]);
  expect(shape(until(joined, 1))).toEqual([[0, []]]);
});
