/** Flag marks part of a text by an offset and a length in bytes of its UTF-8 form. */
export interface Flag {
  offset: number;
  length: number;
  kind: string;
  detail: string;
}

/** Segment is a run of a text; with a flag it is what may deceive the eye, and shown is what to show in its place. */
export interface Segment {
  text: string;
  shown: string;
  flag?: { kind: string; detail: string };
}

/** Span is a flag in UTF-16 units, as scripts count. */
interface Span {
  from: number;
  to: number;
  kind: string;
  detail: string;
}

/**
 * segments cuts a text at its flags. Characters that cannot be seen are flagged here too, whatever the server says: what
 * a person judges must be what is there. Flags that begin or end within a character take in the whole of it.
 */
export function segments(text: string, flags: readonly Flag[] = []): Segment[] {
  const spans = [...fromBytes(text, flags), ...unseen(text)].sort((a, b) => a.from - b.from || b.to - a.to);
  const out: Segment[] = [];
  let at = 0;
  for (const span of spans) {
    const from = Math.max(span.from, at);
    if (span.to <= from) continue;
    if (from > at) out.push(plain(text.slice(at, from)));
    out.push(flagged(text.slice(from, span.to), span));
    at = span.to;
  }
  if (at < text.length) out.push(plain(text.slice(at)));
  return out;
}

function plain(text: string): Segment {
  return { text, shown: text };
}

function flagged(text: string, { kind, detail }: Span): Segment {
  return { text, shown: kind === "confusable" ? text : codePoints(text), flag: { kind, detail } };
}

/** codePoints names each character, for example "U+200B". */
export function codePoints(text: string): string {
  return [...text].map((c) => "U+" + c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")).join(" ");
}

function fromBytes(text: string, flags: readonly Flag[]): Span[] {
  if (flags.length === 0) return [];
  const starts = byteOffsets(text);
  return flags
    .filter((flag) => flag.length > 0 && flag.offset >= 0)
    .map(({ offset, length, kind, detail }) => ({ from: floor(starts, offset), to: ceil(starts, offset + length), kind, detail }));
}

interface Boundary {
  byte: number;
  unit: number;
}

/** byteOffsets lists where each character begins, and the end. */
function byteOffsets(text: string): Boundary[] {
  const out: Boundary[] = [];
  let byte = 0;
  let unit = 0;
  for (const c of text) {
    out.push({ byte, unit });
    byte += utf8Length(c.codePointAt(0)!);
    unit += c.length;
  }
  out.push({ byte, unit });
  return out;
}

function utf8Length(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

function floor(starts: readonly Boundary[], byte: number): number {
  const after = starts.findIndex((s) => s.byte > byte);
  return after < 0 ? starts.at(-1)!.unit : starts[after - 1]!.unit;
}

function ceil(starts: readonly Boundary[], byte: number): number {
  return (starts.find((s) => s.byte >= byte) ?? starts.at(-1)!).unit;
}

// Controls but tab and line feed, soft hyphen, fillers, zero-width and bidirectional controls, line and paragraph
// separators, variation selectors, odd spaces, tags and what is not a character.
const hidden =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028-\u202f\u200b-\u200f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u00a0\u2000-\u200a\u3000\u{e0000}-\u{e0fff}\u{1d173}-\u{1d17a}]/gu;

function unseen(text: string): Span[] {
  return [...text.matchAll(hidden)].map((found) => ({
    from: found.index,
    to: found.index + found[0].length,
    kind: kindOf(found[0].codePointAt(0)!),
    detail: `${codePoints(found[0])} cannot be seen or changes how text is shown`,
  }));
}

function kindOf(codePoint: number): string {
  if (codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0)) return "control";
  const bidi = codePoint === 0x61c || codePoint === 0x200e || codePoint === 0x200f;
  return bidi || (codePoint >= 0x202a && codePoint <= 0x202e) || (codePoint >= 0x2066 && codePoint <= 0x2069) ? "bidi" : "invisible";
}
