import { expect, test } from "vitest";
import { ago, clock, fromInput, offset, parseSpan, span, toInput } from "../../src/text/time";

const at = (ms: number) => new Date(ms);

test.each([
  [0, "just now"], [-4_000, "just now"], [-59_000, "59 s ago"], [-60_000, "1 min ago"], [-3_599_000, "59 min ago"],
  [-3_600_000, "1 h ago"], [-47 * 3_600_000, "47 h ago"], [-48 * 3_600_000, "2 d ago"], [90_000, "in 1 min"],
])("ago %d is %s", (ms, want) => expect(ago(at(1e12 + ms), 1e12)).toBe(want));

test.each([[0, "0 s"], [400, "400 ms"], [1000, "1 s"], [90_000, "1 min 30 s"], [3_600_000, "1 h"], [3_605_000, "1 h"], [90_000_000, "1 d 1 h"], [-5, "0 s"]])(
  "span %d is %s", (ms, want) => expect(span(ms)).toBe(want),
);

test.each([[0, "0:00"], [-1, "0:00"], [1, "0:01"], [59_999, "1:00"], [605_000, "10:05"], [3_723_000, "1:02:03"]])("clock %d is %s", (ms, want) => expect(clock(ms)).toBe(want));

test.each([[0, "+0:00.000"], [3_250, "+0:03.250"], [3_723_004, "+1:02:03.004"], [-9, "+0:00.000"]])("offset %d is %s", (ms, want) => expect(offset(ms)).toBe(want));

test.each([["30m", 1_800_000], ["1h30m", 5_400_000], ["45 s", 45_000], ["7d", 604_800_000], ["", undefined], ["0s", undefined], ["1", undefined], ["-1h", undefined], ["1h x", undefined], ["9999999999999999999d", undefined]])(
  "parseSpan %j is %j", (text, want) => expect(parseSpan(text)).toBe(want),
);

test("a field's time comes back as it was", () => {
  const time = at(Date.UTC(2026, 10, 23, 6, 5));
  expect(fromInput(toInput(time))).toEqual(time);
  expect(fromInput("")).toBeUndefined();
  expect(fromInput("yesterday")).toBeUndefined();
});
