import { describe, expect, test } from "vitest";
import { counts, diff, hunks, type Line } from "../../src/text/diff";

const signs = { same: " ", add: "+", remove: "-" };
const shown = (lines: readonly Line[]) => lines.map((l) => signs[l.change] + l.text).join("|");

describe("diff", () => {
  test.each([
    ["", "", ""],
    ["a\nb\n", "a\nb\n", " a| b"],
    ["", "a\nb", "+a|+b"],
    ["a\nb", "", "-a|-b"],
    ["a\nb\nc", "a\nx\nc", " a|-b|+x| c"],
    ["a\nb\nc", "b\nc\nd", "-a| b| c|+d"],
    ["a\na\na", "a\na", " a| a|-a"],
    ["x\na\nb\ny", "x\nb\na\ny", " x|-a| b|+a| y"],
  ])("%j to %j", (before, after, want) => expect(shown(diff(before, after))).toBe(want));

  test("both sides can be put together again from any comparison", () => {
    let seed = 7;
    const next = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 300; round++) {
      const text = () => Array.from({ length: next(12) }, () => "abcd"[next(4)]!).join("\n");
      const [before, after] = [text(), text()];
      const lines = diff(before, after);
      const side = (drop: Line["change"]) => lines.filter((l) => l.change !== drop).map((l) => l.text).join("\n");
      expect([side("add"), side("remove")]).toEqual([before, after]);
      const [removed, added] = [lines.filter((l) => l.before), lines.filter((l) => l.after)];
      expect(removed.map((l) => l.before)).toEqual(removed.map((_, i) => i + 1));
      expect(added.map((l) => l.after)).toEqual(added.map((_, i) => i + 1));
    }
  });

  test("texts that share nothing are shown in two blocks", () => {
    const many = (c: string) => Array.from({ length: 3000 }, (_, i) => c + i).join("\n");
    expect(counts(diff(many("a"), many("b")))).toEqual({ added: 3000, removed: 3000 });
  });
});

test("hunks keep what is near a change", () => {
  const text = Array.from({ length: 30 }, (_, i) => `line ${i}`);
  const changed = text.with(4, "x").with(20, "y");
  const found = hunks(diff(text.join("\n"), changed.join("\n")), 2);
  expect(found.map((h) => [h.skipped, h.lines.length])).toEqual([[2, 6], [11, 6]]);
  expect(hunks(diff("a\nb", "a\nb"))).toEqual([]);
});
