import { describe, expect, test } from "vitest";
import { codePoints, segments } from "../../src/text/flags";

const flag = (offset: number, length: number, kind = "confusable", detail = "d") => ({ offset, length, kind, detail });
const marked = (text: string, flags = [] as ReturnType<typeof flag>[]) => segments(text, flags).filter((s) => s.flag).map((s) => s.text);

describe("segments", () => {
  test.each([
    ["", [], []],
    ["SELECT 1", [], []],
    ["abc", [flag(1, 1)], ["b"]],
    ["аbc", [flag(0, 2)], ["а"]], // two bytes, one unit
    ["€uro а", [flag(5, 1), flag(7, 2)], ["o", "а"]], // three bytes first
    ["😀xа", [flag(5, 2)], ["а"]], // four bytes, two units
    ["😀x", [flag(0, 4)], ["😀"]],
    ["😀x", [flag(1, 1)], ["😀"]], // within a character: the whole of it
    ["ab", [flag(1, 100)], ["b"]], // past the end
    ["ab", [flag(2, 1), flag(-1, 1), flag(0, 0)], []],
    ["abcd", [flag(0, 3), flag(1, 2)], ["abc"]], // one within another
    ["abcd", [flag(0, 2), flag(1, 2)], ["ab", "c"]], // overlapping
  ] as [string, ReturnType<typeof flag>[], string[]][])("%j with %j", (text, flags, want) => {
    expect(marked(text, flags)).toEqual(want);
    expect(segments(text, flags).map((s) => s.text).join("")).toBe(text);
  });

  test("what is invisible is found without the server's help, and named", () => {
    const text = "a\u200bb\u202ec\u00a0d\u0000e\ufe0f\u{e0041}\r";
    expect(marked(text)).toEqual(["\u200b", "\u202e", "\u00a0", "\u0000", "\ufe0f", "\u{e0041}", "\r"]);
    expect(segments(text).map((s) => s.shown).join("")).toBe("aU+200BbU+202EcU+00A0dU+0000eU+FE0FU+E0041U+000D");
    expect(segments(text).flatMap((s) => s.flag?.kind ?? [])).toEqual(["invisible", "bidi", "invisible", "control", "invisible", "invisible", "control"]);
  });

  test("line feeds, tabs and letters of every script stay", () => {
    expect(marked("SELECT\n\t'Ärzte', '東京', 'עברית', '👍'")).toEqual([]);
  });

  test("the server's word counts before our own", () => {
    expect(segments("\u202ex", [flag(0, 3, "bidi", "turns text around")])[0]?.flag?.detail).toBe("turns text around");
  });

  test("a long text is cut in time that grows with it", () => {
    const text = "а".repeat(50_000);
    const flags = Array.from({ length: 200 }, (_, i) => flag(i * 4, 2));
    expect(marked(text, flags)).toHaveLength(200);
  });
});

test("codePoints", () => expect(codePoints("a\u{1f600}")).toBe("U+0061 U+1F600"));
