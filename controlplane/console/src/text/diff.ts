/** Line is one line of a comparison, with its number on the sides where it is; numbers begin at 1. */
export interface Line {
  change: "same" | "add" | "remove";
  text: string;
  before?: number;
  after?: number;
}

/** diff compares two texts line by line with the fewest changes (E. Myers, "An O(ND) Difference Algorithm", 1986). */
export function diff(before: string, after: string): Line[] {
  const a = lines(before);
  const b = lines(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const out: Line[] = [];
  for (let i = 0; i < head; i++) out.push({ change: "same", text: a[i]!, before: i + 1, after: i + 1 });
  out.push(...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail), head));
  for (let i = tail; i > 0; i--) out.push({ change: "same", text: a[a.length - i]!, before: a.length - i + 1, after: b.length - i + 1 });
  return out;
}

function lines(text: string): string[] {
  if (text === "") return [];
  const all = text.split("\n");
  if (all.at(-1) === "") all.pop();
  return all;
}

// Beyond this many changes the middle is shown as one block removed and one added: exact, and never slow.
const most = 600;

function middle(a: string[], b: string[], base: number): Line[] {
  const trace = search(a, b);
  return trace ? walk(a, b, trace, base) : block(a, b, base);
}

function block(a: string[], b: string[], base: number): Line[] {
  return [
    ...a.map((text, i): Line => ({ change: "remove", text, before: base + i + 1 })),
    ...b.map((text, i): Line => ({ change: "add", text, after: base + i + 1 })),
  ];
}

/** search returns the furthest points of each round up to the one that reaches the end. */
function search(a: string[], b: string[]): Map<number, number>[] | undefined {
  const trace: Map<number, number>[] = [];
  let reached = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, most); d++) {
    const next = new Map(reached);
    for (let k = -d; k <= d; k += 2) {
      let x = down(reached, k, d) ? reached.get(k + 1)! : reached.get(k - 1)! + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return [...trace, reached, next];
    }
    trace.push(reached);
    reached = next;
  }
  return undefined;
}

function down(reached: Map<number, number>, k: number, d: number): boolean {
  return k === -d || (k !== d && reached.get(k - 1)! < reached.get(k + 1)!);
}

/** walk goes back from the end over the rounds. */
function walk(a: string[], b: string[], trace: Map<number, number>[], base: number): Line[] {
  const out: Line[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 2; d >= 0; d--) {
    const reached = trace[d]!;
    const k = x - y;
    const from = down(reached, k, d) ? k + 1 : k - 1;
    const [px, py] = [reached.get(from)!, reached.get(from)! - from];
    while (x > px && y > py) out.push({ change: "same", text: a[--x]!, before: base + x + 1, after: base + --y + 1 });
    if (d === 0) break;
    if (x === px) out.push({ change: "add", text: b[--y]!, after: base + y + 1 });
    else out.push({ change: "remove", text: a[--x]!, before: base + x + 1 });
  }
  return out.reverse();
}

/** Hunk is a run of changes with some lines around it; skipped is how many lines before it are not shown. */
export interface Hunk {
  skipped: number;
  lines: Line[];
}

/** hunks leaves out the lines further than context from any change. Without changes there are none. */
export function hunks(all: readonly Line[], context = 3): Hunk[] {
  const near = all.map(() => false);
  all.forEach((line, i) => {
    if (line.change === "same") return;
    for (let j = Math.max(0, i - context); j <= Math.min(all.length - 1, i + context); j++) near[j] = true;
  });
  const out: Hunk[] = [];
  let skipped = 0;
  all.forEach((line, i) => {
    if (!near[i]) return void skipped++;
    if (i === 0 || !near[i - 1]) out.push({ skipped, lines: [] });
    skipped = 0;
    out.at(-1)!.lines.push(line);
  });
  return out;
}

/** counts says how many lines were added and removed. */
export function counts(all: readonly Line[]): { added: number; removed: number } {
  const of = (change: Line["change"]) => all.filter((line) => line.change === change).length;
  return { added: of("add"), removed: of("remove") };
}
