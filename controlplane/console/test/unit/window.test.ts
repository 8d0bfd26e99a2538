import { expect, test } from "vitest";
import { into, visible } from "../../src/text/window";

test.each([
  // count, scroll, height → first, end
  [0, 0, 500, 0, 0],
  [10, 0, 500, 0, 10],
  [10_000, 0, 500, 0, 22],
  [10_000, 50_000, 500, 988, 1022],
  [10_000, 500_000, 500, 9978, 10_000],
  [10_000, 9e9, 500, 9978, 10_000],
  [10_000, -40, 500, 0, 22],
  [3, 1000, 0, 0, 3],
])("of %d rows, scrolled %d in %d", (count, scroll, height, first, end) => {
  const part = visible(count, 50, { scroll, height });
  expect([part.first, part.end]).toEqual([first, end]);
  expect(part.above + (part.end - part.first) * 50 + part.below).toBe(count * 50);
});

test("what is seen is always drawn", () => {
  for (let scroll = 0; scroll < 5000; scroll += 7) {
    const part = visible(200, 50, { scroll, height: 333 }, 0);
    const top = Math.min(scroll, 200 * 50 - 333);
    expect(part.first * 50).toBeLessThanOrEqual(top);
    expect(part.end * 50).toBeGreaterThanOrEqual(top + 333);
  }
});

test("into scrolls no further than it must", () => {
  expect(into(3, 50, { scroll: 0, height: 500 })).toBe(0);
  expect(into(3, 50, { scroll: 400, height: 500 })).toBe(150);
  expect(into(20, 50, { scroll: 0, height: 500 })).toBe(550);
});
