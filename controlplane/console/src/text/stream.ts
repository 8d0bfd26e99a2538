import type { Rec, Value } from "./record";

/** Piece is a part of what passed through a stream. */
export interface Piece {
  /** index of its record among all. */
  index: number;
  stream: string;
  bytes: Uint8Array;
}

/** Streams is what passed through the streams of one command. */
export interface Streams {
  command: string;
  /** terminal says that the command had one: what it showed is to be drawn, not read. */
  terminal: boolean;
  pieces: Piece[];
}

const unknownSize = "a terminal of unknown size";

/** streamsOf gathers the pieces of each command, in their order. */
export function streamsOf(records: readonly Rec[]): Map<string, Streams> {
  const all = new Map<string, Streams>();
  records.forEach((rec, index) => {
    if (rec.kind !== "stream") return;
    const streams = all.get(rec.command) ?? { command: rec.command, terminal: false, pieces: [] };
    const stream = streamOf(rec);
    const bytes = bytesOf(rec.params[0] ?? "");
    streams.terminal ||= stream === "resize" || (stream === "note" && textOf(bytes) === unknownSize);
    streams.pieces.push({ index, stream, bytes });
    all.set(rec.command, streams);
  });
  return all;
}

/** streamOf is the stream's name, such as "stdout". */
export function streamOf(rec: Pick<Rec, "attrs">): string {
  return rec.attrs.find(({ name }) => name === "stream")?.value ?? "";
}

/** sizeOf reads COLSxROWS. */
export function sizeOf({ stream, bytes }: Piece): { cols: number; rows: number } | undefined {
  const [, cols, rows] = (stream === "resize" && /^(\d{1,5})x(\d{1,5})$/.exec(textOf(bytes))) || [];
  return cols && rows && Number(cols) > 0 && Number(rows) > 0 ? { cols: Number(cols), rows: Number(rows) } : undefined;
}

/** shows tells pieces of what was shown from input, sizes and notes. */
export function shows({ stream }: Piece): boolean {
  return !["stdin", "resize", "note"].includes(stream);
}

/** notes are what is said about the recording itself. */
export function notes({ pieces }: Streams): string[] {
  return pieces.filter(({ stream }) => stream === "note").map(({ bytes }) => textOf(bytes)).filter((text) => text !== unknownSize);
}

/** typed are the lines of input, up to a record. */
export function typed({ pieces }: Streams, before: number): string[] {
  const text = textOf(...pieces.filter(({ stream, index }) => stream === "stdin" && index < before).map(({ bytes }) => bytes));
  return text.split(/(?<=[\r\n])(?!\n)/).filter((line) => line !== "");
}

/** readable is what was shown up to a record, at most so many characters of its end. */
export function readable({ pieces }: Streams, before: number, most: number): { text: string; cut: boolean } {
  const wanted: Uint8Array[] = [];
  let size = 0;
  for (const piece of pieces.toReversed()) {
    if (piece.index >= before || !shows(piece)) continue;
    if (size > most) return { text: textOf(...wanted).slice(-most), cut: true };
    wanted.unshift(piece.bytes);
    size += piece.bytes.length;
  }
  const text = textOf(...wanted);
  return { text: text.slice(-most), cut: text.length > most };
}

function textOf(...parts: Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}

const encoder = new TextEncoder();

function bytesOf(value: Value): Uint8Array {
  if (value === null) return new Uint8Array();
  if (typeof value === "string") return encoder.encode(value);
  try {
    return Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
