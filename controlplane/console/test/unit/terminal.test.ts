import { describe, expect, test } from "vitest";
import { Screen } from "../../src/terminal/screen";
import { cube, styled, type Style } from "../../src/terminal/style";

const encode = (text: string) => new TextEncoder().encode(text);

function screen(text: string, cols = 20, rows = 4): Screen {
  const s = new Screen(cols, rows);
  s.write(encode(text));
  return s;
}

/** lines are what is shown, without the cursor. */
const lines = (s: Screen) => s.text().map((line) => line.map(({ text }) => text).join("").trimEnd());

test.each<[string, string, string[]]>([
  ["text", "one\r\ntwo", ["one", "two"]],
  ["a line feed alone", "one\ntwo", ["one", "   two"]],
  ["carriage return", "12345\rab", ["ab345"]],
  ["backspace", "lx\b \bs", ["ls"]],
  ["tabs", "a\tb\tc", ["a       b       c"]],
  ["wrapping", "abcdefghij".repeat(3), ["abcdefghijabcdefghij", "abcdefghij"]],
  ["no wrapping", "\x1b[?7l" + "abcdefghij".repeat(3), ["abcdefghijabcdefghij".slice(0, 19) + "j"]],
  ["scrolling keeps what scrolls off", "1\r\n2\r\n3\r\n4\r\n5\r\n6", ["1", "2", "3", "4", "5", "6"]],
  ["wide characters", "東京x\r\x1b[2Cy", ["東y x"]],
  ["the right half of one", "東京x\r\x1b[1Cy", [" y京x"]],
  ["joined characters", "e\u0301!", ["e\u0301!"]],
  ["cursor up and over", "one\r\ntwo\x1b[A\x1b[2DX", ["oXe", "two"]],
  ["cursor address", "\x1b[2;3Hx\x1b[H1", ["1", "  x"]],
  ["erase to the end", "hello\x1b[3D\x1b[K", ["he"]],
  ["erase from the start", "hello\x1b[3D\x1b[1K", ["   lo"]],
  ["erase characters", "hello\x1b[4D\x1b[2X", ["h  lo"]],
  ["insert and delete characters", "hello\x1b[4D\x1b[2@\x1b[3Cx\x1b[G\x1b[P", ["  exlo"]],
  ["insert mode", "ac\b\x1b[4hb\x1b[4l", ["abc"]],
  ["insert and delete lines", "1\r\n2\r\n3\x1b[2;1H\x1b[Lx\x1b[H\x1b[M", ["x", "2", "3"]],
  ["a region", "a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\nX", ["a", "c", "X", "d"]],
  ["reverse index", "b\x1b[H\x1bMa", ["a", "b"]],
  ["saved cursor", "ab\x1b7cd\x1b8X", ["abXd"]],
  ["the alternate screen, left", "main\x1b[?1049h\x1b[Hother\x1b[?1049l!", ["main!"]],
  ["the alternate screen", "main\x1b[?1049h\x1b[Hother", ["other", "", "", ""]],
  ["a cleared screen stays readable", "old\x1b[2J\x1b[Hnew", ["old", "new"]],
  ["clearing what scrolled off", "old\x1b[2J\x1b[3J\x1b[Hnew", ["new"]],
  ["repeat", "a\x1b[3b", ["aaaa"]],
  ["line drawing", "\x1b(0lqk\x1b(Bq", ["┌─┐q"]],
  ["titles, links, the clipboard", "a\x1b]0;t\x07b\x1b]52;c;eA==\x1b\\c\x1bP$q\x1b\\d\x9b2Je", ["abcd2Je"]],
  ["questions", "a\x1b[c\x1b[6n\x1b[?1$p\x1b[18tb", ["ab"]],
  ["a broken sequence", "a\x1b[1\x1b[31mb\x1b[1;\u6771c", ["abc"]],
  ["endless work", "a\x1b[999999999b\x1b[99999;99999Hx\x1b[999999L", [...lines(screen("a\x1b[9999b\x1b[99999;99999Hx\x1b[9999L"))]],
])("%s", (_, text, want) => expect(lines(screen(text))).toEqual(want));

test("sequences and characters may be split anywhere", () => {
  const all = encode("\x1b[1;31mgrüß 東京\x1b[0m\r\n\x1b]0;title\x07\x1b[2Cx\x1b(0q\x1b(B");
  const whole = new Screen(20, 4);
  whole.write(all);
  for (let at = 1; at < all.length; at++) {
    const split = new Screen(20, 4);
    split.write(all.slice(0, at));
    split.write(all.slice(at));
    expect(split.text()).toEqual(whole.text());
  }
});

test("resizing keeps what there is", () => {
  const s = screen("1\r\n2\r\n3\r\n4");
  s.resize(10, 2);
  expect(lines(s)).toEqual(["1", "2", "3", "4"]);
  s.resize(40, 6);
  s.write(encode("\r\n5"));
  expect(lines(s)).toEqual(["1", "2", "3", "4", "5"]);
  s.resize(1e9, 0);
  expect([s.cols, s.rows]).toEqual([1000, 1]);
});

test("what scrolled off is bounded", () => {
  const s = screen("x\r\n".repeat(5000));
  expect(s.text().length).toBe(2000 + 4);
});

test("the cursor stands by itself, and can be hidden", () => {
  const s = screen("ab\b");
  expect(s.text()).toEqual([[{ text: "a", style: {} }, { text: "b", style: {}, cursor: true }]]);
  s.write(encode("\x1b[?25l"));
  expect(s.text()).toEqual([[{ text: "ab", style: {} }]]);
});

describe("styles", () => {
  test.each<[string, Style]>([
    ["1;3;4;9", { bold: true, italic: true, underline: true, struck: true }],
    ["1;22;2;7", { faint: true, inverse: true }],
    ["31;42", { fg: 1, bg: 2 }],
    ["91;107;39", { bg: 15 }],
    ["38;5;208;48;5;300", { fg: 208, bg: 255 }],
    ["38;2;1;2;300;1", { fg: "#0102ff", bold: true }],
    ["38:2::1:2:3", { fg: "#010203" }],
    ["38:2:1:2:3;4:0", { fg: "#010203" }],
    ["31;0", {}],
    ["38", {}],
    ["38;9;1", { struck: true, bold: true }],
  ])("%s", (params, want) => {
    const parsed = params.split(";").map((p) => p.split(":").map(Number));
    expect(styled({}, parsed)).toEqual(want);
  });
  test("the palette", () => expect([16, 21, 196, 231, 232, 255].map(cube)).toEqual(["#000000", "#0000ff", "#ff0000", "#ffffff", "#080808", "#eeeeee"]));
});

test("noise does no harm", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const parts = ["\x1b[", "\x1b]", "\x1b", ";", "?", "1", "99", "H", "J", "K", "m", "L", "M", "r", "h", "1049", "l", "東", "\n", "\r", "\b", "x", "@", "P", "T", "S", "8", "7", "c", "d", "u", "\t"];
  for (let round = 0; round < 200; round++) {
    const s = new Screen(1 + random(30), 1 + random(8));
    for (let i = 0; i < 80; i++) {
      s.write(encode(parts[random(parts.length)]!));
      if (random(40) === 0) s.resize(1 + random(30), 1 + random(8));
    }
    for (const line of s.text()) expect(line.map(({ text }) => text).join("").length).toBeLessThanOrEqual(64);
  }
});
