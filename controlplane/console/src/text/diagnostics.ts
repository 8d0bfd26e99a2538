/** Spot is something to be shown in a file: a problem, or a test that failed. Lines and columns begin at 1; 0 is unknown. */
export interface Spot {
  file: string;
  line: number;
  column: number;
  message: string;
  hint: string;
}

/** Range is a part of a text in UTF-16 units. */
export interface Range {
  from: number;
  to: number;
}

/** locate finds the word that a spot begins at, or its whole line; what lies outside of the text is moved to its end. */
export function locate(text: string, { line, column }: Pick<Spot, "line" | "column">): Range {
  const { from, to } = lineAt(text, line);
  if (column <= 0) return { from, to };
  const start = Math.min(from + unitsAt(text.slice(from, to), column - 1), to);
  const word = /^[\p{L}\p{N}_:]+|^"[^"]*"?|^\S/u.exec(text.slice(start, to));
  return { from: start, to: word ? start + word[0].length : to };
}

function lineAt(text: string, line: number): Range {
  let from = 0;
  for (let n = 1; n < line; n++) {
    const end = text.indexOf("\n", from);
    if (end < 0) break;
    from = end + 1;
  }
  const end = text.indexOf("\n", from);
  return { from, to: end < 0 ? text.length : end };
}

/** unitsAt turns a number of characters into UTF-16 units. */
function unitsAt(line: string, characters: number): number {
  let units = 0;
  for (const c of line) {
    if (characters-- <= 0) break;
    units += c.length;
  }
  return units;
}
