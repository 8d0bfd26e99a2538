import { Parser, type Actions, type Control } from "./parser";
import { plain, styled, type Style } from "./style";
import { width } from "./width";

/** Cell is one place of the screen. The place right of a wide character has no text. */
interface Cell {
  text: string;
  style: Style;
}

/** Run is a stretch of a line in one style. */
export interface Run {
  text: string;
  style: Style;
  /** cursor is where the cursor stands. */
  cursor?: boolean;
}

type Line = Cell[];

/** Saved is what ESC 7 keeps. */
interface Saved {
  row: number;
  col: number;
  style: Style;
}

const mostCells = 1000; // of a size that is believed
const kept = 2000; // lines that have scrolled off

/** lines that ESC ( 0 draws, as VT100 has them. */
const drawing: Record<string, string> = { j: "┘", k: "┐", l: "┌", m: "└", n: "┼", q: "─", t: "├", u: "┤", v: "┴", w: "┬", x: "│", a: "▒", "`": "◆", f: "°", g: "±", "~": "·", y: "≤", z: "≥" };

/**
 * Screen is a terminal that shows and never answers: what was recorded is drawn, and cannot do anything else. It keeps
 * the lines that scrolled off, the latest 2,000.
 */
export class Screen implements Actions {
  cols: number;
  rows: number;
  cursorShown = true;
  private lines: Line[];
  private other?: Line[]; // the main screen while the alternate one is shown
  private gone: Line[] = [];
  private row = 0;
  private col = 0;
  private style = plain;
  private saved: Saved = { row: 0, col: 0, style: plain };
  private top = 0;
  private bottom: number;
  private wraps = true;
  private inserts = false;
  private draws = false;
  private last = "";
  private readonly decoder = new TextDecoder();
  private readonly parser = new Parser(this);

  constructor(cols = 80, rows = 24) {
    this.cols = cols;
    this.rows = rows;
    this.bottom = rows - 1;
    this.lines = this.blank(rows);
  }

  write(bytes: Uint8Array) {
    this.parser.parse(this.decoder.decode(bytes, { stream: true }));
  }

  resize(cols: number, rows: number) {
    this.cols = Math.max(1, Math.min(cols, mostCells));
    this.rows = Math.max(1, Math.min(rows, mostCells));
    this.fit();
    if (this.other) this.other = [...this.other.slice(0, this.rows), ...this.blank(this.rows - this.other.length)];
    [this.top, this.bottom] = [0, this.rows - 1];
    this.col = Math.min(this.col, this.cols - 1);
  }

  /** text is what there is to see as runs: what scrolled off, then the screen to its last line that has something. */
  text(): Run[][] {
    const all = this.other ? this.lines : [...this.gone, ...this.lines];
    let end = all.length;
    const least = all.length - this.rows + (this.other ? this.rows : this.row + 1);
    while (end > least && all[end - 1]!.every(blankCell)) end--;
    const here = (this.other ? 0 : this.gone.length) + this.row;
    return all.slice(0, end).map((line, i) => runs(line, this.cursorShown && i === here ? Math.min(this.col, this.cols - 1) : -1));
  }

  print(char: string) {
    const size = width(char);
    if (size === 0) return this.join(char);
    if (this.col + size > this.cols) {
      if (this.wraps) this.wrap();
      else this.col = Math.max(0, this.cols - size);
    }
    const line = this.line();
    while (line.length < this.col) line.push({ text: " ", style: plain });
    if (!this.inserts) this.halve(line, size);
    const cell = { text: (this.draws && drawing[char]) || char, style: this.style };
    const cells = size === 2 ? [cell, { text: "", style: this.style }] : [cell];
    line.splice(this.col, this.inserts ? 0 : size, ...cells);
    line.length = Math.min(line.length, this.cols);
    this.col += size;
    this.last = char;
  }

  /** halve leaves a space of each wide character of which a half is about to be written over. */
  private halve(line: Line, size: number) {
    for (const [half, other] of [[this.col, this.col - 1], [this.col + size, this.col + size]] as const) {
      const cell = line[other];
      if (cell && line[half]?.text === "") line[other] = { text: " ", style: cell.style };
    }
  }

  execute(code: number) {
    if (code === 8) this.col = Math.max(0, Math.min(this.col, this.cols - 1) - 1);
    else if (code === 9) this.col = Math.min(this.cols - 1, (Math.floor(this.col / 8) + 1) * 8);
    else if (code >= 10 && code <= 12) this.down();
    else if (code === 13) this.col = 0;
    else if (code === 14 || code === 15) this.draws = code === 14;
  }

  escape(intermediates: string, final: string) {
    if (intermediates === "(") this.draws = final === "0";
    if (intermediates !== "") return;
    if (final === "7") this.saved = { row: this.row, col: this.col, style: this.style };
    else if (final === "8") ({ row: this.row, col: this.col, style: this.style } = this.saved), this.keepIn();
    else if (final === "D") this.down();
    else if (final === "E") this.down(), (this.col = 0);
    else if (final === "M") this.up();
    else if (final === "c") this.reset();
  }

  control({ final, private: priv, intermediates, params }: Control) {
    if (intermediates !== "") return;
    const n = (i: number) => params[i]?.[0] ?? 0;
    if (priv === "?" && (final === "h" || final === "l")) for (const [mode = 0] of params) this.mode(mode, final === "h");
    if (priv !== "" && !(priv === "?" && "JK".includes(final))) return;
    if (final === "m") this.style = styled(this.style, params.length > 0 ? params : [[0]]);
    else if (final === "h" || final === "l") this.inserts = params.some(([mode]) => mode === 4) ? final === "h" : this.inserts;
    else if (final === "r") this.region(n(0) || 1, n(1) || this.rows);
    else if (final === "J") this.erase(n(0));
    else if (final === "K") this.eraseLine(n(0));
    else if (!this.move(final, n)) this.edit(final, Math.max(1, n(0)));
  }

  private move(final: string, n: (i: number) => number): boolean {
    const by = Math.max(1, n(0));
    this.col = Math.min(this.col, this.cols - 1);
    switch (final) {
      case "A": this.row -= Math.min(by, this.row >= this.top ? this.row - this.top : this.row); break;
      case "B": case "e": this.row = Math.min(this.row + by, this.row <= this.bottom ? this.bottom : this.rows - 1); break;
      case "C": case "a": this.col += by; break;
      case "D": this.col -= by; break;
      case "E": this.row += by; this.col = 0; break;
      case "F": this.row -= by; this.col = 0; break;
      case "G": case "`": this.col = by - 1; break;
      case "d": this.row = by - 1; break;
      case "H": case "f": this.row = by - 1; this.col = Math.max(1, n(1)) - 1; break;
      case "I": for (let i = 0; i < Math.min(by, this.cols); i++) this.execute(9); break;
      case "Z": this.col = Math.max(0, (Math.ceil(this.col / 8) - by) * 8); break;
      case "s": this.escape("", "7"); break;
      case "u": this.escape("", "8"); break;
      default: return false;
    }
    this.keepIn();
    return true;
  }

  private edit(final: string, by: number) {
    const line = this.line();
    const n = Math.min(by, mostCells);
    switch (final) {
      case "@": this.pad(line, this.col); line.splice(this.col, 0, ...spaces(n, this.style)); line.length = Math.min(line.length, this.cols); break;
      case "P": line.splice(this.col, n); break;
      case "X": this.fill(line, this.col, Math.min(this.col + n, this.cols)); break;
      case "L": if (this.inRegion()) this.scroll(this.row, -n); break;
      case "M": if (this.inRegion()) this.scroll(this.row, n, false); break;
      case "S": this.scroll(this.top, n); break;
      case "T": this.scroll(this.top, -n); break;
      case "b": for (let i = 0; i < n && this.last; i++) this.print(this.last); break;
    }
  }

  private mode(mode: number, on: boolean) {
    if (mode === 7) this.wraps = on;
    else if (mode === 25) this.cursorShown = on;
    else if (mode === 47 || mode === 1047 || mode === 1049) this.alternate(on, mode === 1049);
  }

  /** alternate shows the screen of a program that takes all of it, or goes back to the main one. */
  private alternate(on: boolean, saves: boolean) {
    if (on === (this.other !== undefined)) return;
    if (on) {
      if (saves) this.escape("", "7");
      this.other = this.lines;
      this.lines = this.blank(this.rows);
    } else {
      this.lines = this.other!;
      this.other = undefined;
      if (saves) this.escape("", "8");
      this.keepIn();
    }
  }

  private reset() {
    this.gone.push(...this.lines);
    Object.assign(this, { lines: this.blank(this.rows), other: undefined, row: 0, col: 0, style: plain, top: 0, bottom: this.rows - 1, wraps: true, inserts: false, draws: false, cursorShown: true });
    this.trim();
  }

  private region(top: number, bottom: number) {
    if (top >= bottom || bottom > this.rows) return;
    [this.top, this.bottom, this.row, this.col] = [top - 1, bottom - 1, 0, 0];
  }

  private erase(what: number) {
    if (what === 3) return void (this.gone = []);
    if (what === 0) this.eraseLine(0);
    if (what === 1) this.eraseLine(1);
    const [from, to] = what === 0 ? [this.row + 1, this.rows] : what === 1 ? [0, this.row] : [0, this.rows];
    if (what === 2 && !this.other) this.keep(this.lines);
    for (let i = from; i < to; i++) this.lines[i] = this.wholly();
  }

  private eraseLine(what: number) {
    const line = this.line();
    if (what === 0) {
      line.length = Math.min(line.length, this.col);
      if (this.style.bg !== undefined) this.fill(line, this.col, this.cols);
    } else this.fill(line, 0, what === 1 ? Math.min(this.col + 1, this.cols) : this.cols);
  }

  private fill(line: Line, from: number, to: number) {
    this.pad(line, from);
    line.splice(from, to - from, ...spaces(to - from, this.style));
  }

  private pad(line: Line, to: number) {
    while (line.length < to) line.push({ text: " ", style: plain });
  }

  private join(char: string) {
    const line = this.line();
    let at = Math.min(this.col, line.length) - 1;
    if (line[at]?.text === "") at--;
    const cell = line[at];
    if (cell && cell.text.length < 16) line[at] = { ...cell, text: cell.text + char };
  }

  private wrap() {
    this.col = 0;
    this.down();
  }

  private down() {
    if (this.row === this.bottom) this.scroll(this.top, 1);
    else this.row = Math.min(this.row + 1, this.rows - 1);
  }

  private up() {
    if (this.row === this.top) this.scroll(this.top, -1);
    else this.row = Math.max(0, this.row - 1);
  }

  /** scroll moves the lines from one to the end of the region up, or down where n is negative. */
  private scroll(from: number, n: number, keeps = true) {
    const size = this.bottom - from + 1;
    const by = Math.min(Math.abs(n), size);
    const fresh = Array.from({ length: by }, () => this.wholly());
    if (n > 0) {
      const left = this.lines.splice(from, by);
      this.lines.splice(from + size - by, 0, ...fresh);
      if (keeps && from === 0 && !this.other) this.keep(left);
    } else {
      this.lines.splice(from + size - by, by);
      this.lines.splice(from, 0, ...fresh);
    }
  }

  private keep(lines: Line[]) {
    let end = lines.length;
    while (end > 0 && lines[end - 1]!.every(blankCell)) end--;
    this.gone.push(...lines.slice(0, end).map((line) => line.slice()));
    this.trim();
  }

  private trim() {
    if (this.gone.length > kept) this.gone.splice(0, this.gone.length - kept);
  }

  /** fit gives the screen as many lines as it has rows now. */
  private fit() {
    while (this.lines.length > this.rows && this.lines.length > this.row + 1 && this.lines.at(-1)!.every(blankCell)) this.lines.pop();
    const over = this.lines.length - this.rows;
    if (over > 0) {
      const left = this.lines.splice(0, over);
      if (!this.other) this.keep(left);
      this.row = Math.max(0, this.row - over);
    }
    this.lines.push(...this.blank(this.rows - this.lines.length));
  }

  private keepIn() {
    this.row = Math.max(0, Math.min(this.row, this.rows - 1));
    this.col = Math.max(0, Math.min(this.col, this.cols - 1));
  }

  private inRegion() {
    return this.row >= this.top && this.row <= this.bottom;
  }

  private line(): Line {
    return this.lines[this.row]!;
  }

  private wholly(): Line {
    return this.style.bg === undefined ? [] : spaces(this.cols, this.style);
  }

  private blank(n: number): Line[] {
    return Array.from({ length: Math.max(0, n) }, () => []);
  }
}

function spaces(n: number, style: Style): Cell[] {
  const cell = { text: " ", style: style.bg === undefined ? plain : Object.freeze({ bg: style.bg }) };
  return Array.from({ length: Math.max(0, n) }, () => cell);
}

function blankCell({ text, style }: Cell): boolean {
  return (text === " " || text === "") && style.bg === undefined && !style.inverse;
}

/** runs joins the cells of a line; the one that the cursor is on stands by itself. */
function runs(line: Line, cursor: number): Run[] {
  const out: Run[] = [];
  const cells = line.length > cursor ? line : [...line, ...spaces(cursor + 1 - line.length, plain)];
  cells.forEach(({ text, style }, i) => {
    const last = out.at(-1);
    if (i === cursor) out.push({ text: text || " ", style, cursor: true });
    else if (last?.style === style && !last.cursor) last.text += text;
    else if (text !== "") out.push({ text, style });
  });
  return out;
}
