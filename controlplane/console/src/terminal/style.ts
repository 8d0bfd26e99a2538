/** Style is how a character looks. A colour is a number of the palette, 0 to 255, or "#rrggbb". */
export interface Style {
  fg?: number | string;
  bg?: number | string;
  bold?: boolean;
  faint?: boolean;
  italic?: boolean;
  underline?: boolean;
  inverse?: boolean;
  hidden?: boolean;
  struck?: boolean;
}

export const plain: Style = Object.freeze({});

const on: Record<number, keyof Style> = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 8: "hidden", 9: "struck", 21: "underline" };
const off: Record<number, (keyof Style)[]> = { 22: ["bold", "faint"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 28: ["hidden"], 29: ["struck"], 39: ["fg"], 49: ["bg"] };

/** styled is a style after SGR (ECMA-48 8.3.117) with these parameters, each with its own after colons. */
export function styled(style: Style, params: readonly (readonly number[])[]): Style {
  let next: Style = { ...style };
  for (let i = 0; i < params.length; i++) {
    const [code = 0, ...sub] = params[i]!;
    if (code === 0) next = {};
    else if (code === 38 || code === 48) {
      const rest = sub.length > 0 ? sub : params.slice(i + 1, i + 5).map((p) => p[0] ?? 0);
      const { color, used } = extended(rest, sub.length > 0);
      if (color !== undefined) next[code === 38 ? "fg" : "bg"] = color;
      if (sub.length === 0) i += used;
    } else if (on[code]) {
      const name = on[code]! as "bold";
      if (code === 4 && sub[0] === 0) delete next.underline;
      else next[name] = true;
    } else if (off[code]) for (const name of off[code]!) delete next[name];
    else palette(next, code);
  }
  return Object.keys(next).length === 0 ? plain : Object.freeze(next);
}

function palette(style: Style, code: number) {
  if (code >= 30 && code <= 37) style.fg = code - 30;
  if (code >= 40 && code <= 47) style.bg = code - 40;
  if (code >= 90 && code <= 97) style.fg = code - 90 + 8;
  if (code >= 100 && code <= 107) style.bg = code - 100 + 8;
}

/** extended reads what follows 38 or 48: 5 and a number of the palette, or 2 and red, green and blue. */
function extended(rest: readonly number[], colons: boolean): { color?: number | string; used: number } {
  if (rest[0] === 5) return { color: Math.min(255, rest[1] ?? 0), used: 2 };
  if (rest[0] !== 2) return { used: 0 };
  const rgb = colons && rest.length > 4 ? rest.slice(2, 5) : rest.slice(1, 4); // with colons, a colour space may come first
  return { color: "#" + [0, 1, 2].map((n) => Math.min(255, rgb[n] ?? 0).toString(16).padStart(2, "0")).join(""), used: 4 };
}

/** cube is a colour of the palette above the 16 that the theme has, as xterm has them. */
export function cube(n: number): string {
  if (n >= 232) return "#" + (8 + 10 * (n - 232)).toString(16).padStart(2, "0").repeat(3);
  const level = (v: number) => (v === 0 ? 0 : 55 + 40 * v).toString(16).padStart(2, "0");
  const at = n - 16;
  return "#" + level(Math.floor(at / 36)) + level(Math.floor(at / 6) % 6) + level(at % 6);
}
