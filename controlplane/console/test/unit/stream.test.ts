import { expect, test } from "vitest";
import { events } from "../../src/text/events";
import { nameOf, parseRecord, summary, toneOf } from "../../src/text/record";
import { notes, readable, sizeOf, streamsOf, typed } from "../../src/text/stream";

const rec = (more: object) => parseRecord(JSON.stringify({ id: "r", time: "2026-03-01T12:00:00Z", ...more }))!;
const piece = (command: string, stream: string, data: unknown) => rec({ kind: "stream", command, bytes: 7, params: [data], attrs: [{ name: "stream", value: stream }] });

const all = [
  rec({ kind: "command", command: "c1" }),
  piece("c1", "resize", "120x40"),
  piece("c1", "stdout", { base64: btoa("gr\xc3") }),
  rec({ kind: "command", command: "c2" }),
  piece("c1", "stdout", { base64: btoa("\xbcn") }),
  piece("c1", "stdin", "ls\r"),
  piece("c2", "stderr", "bad\n"),
  piece("c1", "stdin", "a\r\nb"),
  piece("c2", "note", "stdout: cut"),
  rec({ kind: "outcome", command: "c1" }),
  piece("c3", "note", "a terminal of unknown size"),
  piece("c3", "stdout", { base64: "not base64!" }),
];

test("pieces are gathered by command", () => {
  const found = streamsOf(all);
  expect([...found.values()].map((s) => [s.command, s.terminal, s.pieces.map((p) => p.index)])).toEqual([["c1", true, [1, 2, 4, 5, 7]], ["c2", false, [6, 8]], ["c3", true, [10, 11]]]);
  expect(sizeOf(found.get("c1")!.pieces[0]!)).toEqual({ cols: 120, rows: 40 });
  expect(notes(found.get("c2")!)).toEqual(["stdout: cut"]);
  expect(notes(found.get("c3")!)).toEqual([]);
});

test.each(["", "0x4", "4x", "80x24x1", "123456x1", "-1x2"])("%j is no size", (data) => {
  expect(sizeOf(streamsOf([piece("c", "resize", data)]).get("c")!.pieces[0]!)).toBeUndefined();
});

test("what was shown, and typed, up to a record", () => {
  const c1 = streamsOf(all).get("c1")!;
  expect(readable(c1, 99, 100)).toEqual({ text: "grün", cut: false });
  expect(readable(c1, 4, 100)).toEqual({ text: "gr\uFFFD", cut: false });
  expect(readable(c1, 99, 2)).toEqual({ text: "ün", cut: true });
  expect(readable(c1, 0, 100)).toEqual({ text: "", cut: false });
  expect(typed(c1, 99)).toEqual(["ls\r", "a\r\n", "b"]);
  expect(typed(c1, 6)).toEqual(["ls\r"]);
});

test("pieces are no events of their own", () => {
  expect(events(all).map((e) => [e.head.kind, e.rest.map((r) => r.index)])).toEqual([["command", [9]], ["command", []], ["stream", []]]);
});

test("a piece by itself", () => {
  const one = piece("c1", "stdout", "x");
  expect([nameOf(one), toneOf(one), summary(one)]).toEqual(["Stream", "neutral", "stdout 7 B"]);
});
