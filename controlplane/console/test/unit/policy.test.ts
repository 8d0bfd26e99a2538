import { describe, expect, test } from "vitest";
import { changes, decode, encode, paths, problemWithPath } from "../../src/text/bundle";
import { cedar, yaml, type Stream } from "../../src/text/cedar";
import { locate } from "../../src/text/diagnostics";

/** Line stands in for CodeMirror's stream. */
class Line implements Stream {
  at = 0;
  constructor(readonly text: string) {}
  match(pattern: RegExp) {
    const found = pattern.exec(this.text.slice(this.at));
    if (found) this.at += found[0].length;
    return found;
  }
  next() {
    return this.text[this.at++];
  }
  skipToEnd() {
    this.at = this.text.length;
  }
}

function tokens(text: string, token: (stream: Stream) => string | null): string[] {
  const line = new Line(text);
  const out: string[] = [];
  while (line.at < text.length) {
    const from = line.at;
    const kind = token(line);
    if (line.at === from) throw new Error(`stuck at ${from} of ${text}`);
    if (kind) out.push(`${kind}:${text.slice(from, line.at)}`);
  }
  return out;
}

test("cedar", () => {
  expect(tokens('@id("a\\"b") permit (principal is Person, action == Action::"sql:read", inner) // end', cedar)).toEqual([
    "annotation:@id", "punctuation:(", 'string:"a\\"b"', "punctuation:)", "keyword:permit", "punctuation:(", "variable:principal", "keyword:is", "name:Person", "punctuation:,",
    "variable:action", "operator:==", "type:Action", "operator:::", 'string:"sql:read"', "punctuation:,", "name:inner", "punctuation:)", "comment:// end",
  ]);
});

test("yaml", () => {
  expect(tokens("  - name: it's # no", yaml)).toEqual(["name:-", "variable:name", "punctuation::", "name:it", "string:'s # no"]);
  expect(tokens("expect: deny # x", yaml)).toEqual(["variable:expect", "punctuation::", "keyword:deny", "comment:# x"]);
});

test("every text is read to its end", () => {
  for (const text of ['"', "'", "\\", "@", "@1", "🙂", "a::", "\u0000", '"\\'] ) for (const token of [cedar, yaml]) tokens(text, token);
});

describe("locate", () => {
  const text = 'permit (\n  principal in Group::"a",\n😀 action\n';
  const cut = (line: number, column: number) => {
    const { from, to } = locate(text, { line, column });
    return text.slice(from, to);
  };
  test.each([
    [1, 1, "permit"], [1, 8, "("], [2, 3, "principal"], [2, 16, "Group::"], [2, 23, '"a"'], [3, 3, "action"], // a column is a character
    [1, 0, "permit ("], [0, 0, "permit ("], [1, 99, ""], [99, 1, ""], [4, 1, ""],
  ])("%d:%d is %j", (line, column, want) => expect(cut(line, column)).toBe(want));
});

describe("bundle", () => {
  test("comes back as it was", () => {
    const files = { "a.cedar": "permit ();\n", "ü.yaml": "x: ä" };
    expect(decode(encode(files))).toEqual(files);
  });
  test("what is not UTF-8 is refused by name", () => expect(() => decode({ "a.cedar": new Uint8Array([0xff]) })).toThrow("a.cedar"));
  test("changes", () => {
    const found = changes({ "a.cedar": "1", "b.cedar": "2", "c.yaml": "3" }, { "a.cedar": "1", "b.cedar": "2\n4", "d.yaml": "" });
    expect(found.map(({ path, kind, added, removed }) => [path, kind, added, removed])).toEqual([["b.cedar", "changed", 1, 0], ["c.yaml", "removed", 0, 1], ["d.yaml", "added", 0, 0]]);
  });
  test("policies come before tests", () => expect(paths({ "z.cedar": "", "a.yaml": "", "b.cedar": "" })).toEqual(["b.cedar", "z.cedar", "a.yaml"]));
  test.each(["a.txt", "../a.cedar", "/a.cedar", "a//b.cedar", ".cedar", "ä.cedar", "old.cedar"])("no file %j", (path) => expect(problemWithPath(path, { "old.cedar": "" })).toBeTruthy());
  test.each(["a.cedar", "team/a.cedar", "a_test.yaml", "b.yml"])("a file %j", (path) => expect(problemWithPath(path, {})).toBeUndefined());
});
