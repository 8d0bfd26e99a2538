import { useEffect, useMemo, useRef, type CSSProperties } from "react";
import { Screen, type Run } from "../../terminal/screen";
import { cube, type Style } from "../../terminal/style";
import { sizeOf, shows, type Streams } from "../../text/stream";

/** Terminal draws what a command's terminal showed, up to a record. It is text, which can be selected and read out. */
export function Terminal({ of, before }: { of: Streams; before: number }) {
  const lines = useDrawn(of, before);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <pre className="terminal" ref={box} tabIndex={0} role="group" aria-label={`Terminal of ${of.command}`} dir="ltr">
      {lines.map((line, i) => <div key={i}>{line.length === 0 ? "\n" : line.map(draw)}</div>)}
    </pre>
  );
}

/** useDrawn draws on from where it was; going back in time begins anew. */
function useDrawn(of: Streams, before: number): Run[][] {
  const state = useRef<{ screen: Screen; command: string; at: number }>(null);
  return useMemo(() => {
    let now = state.current;
    const done = of.pieces.findIndex(({ index }) => index >= before);
    const to = done < 0 ? of.pieces.length : done;
    if (!now || now.command !== of.command || now.at > to) now = { screen: new Screen(), command: of.command, at: 0 };
    for (; now.at < to; now.at++) {
      const piece = of.pieces[now.at]!;
      const size = sizeOf(piece);
      if (size) now.screen.resize(size.cols, size.rows);
      else if (shows(piece)) now.screen.write(piece.bytes);
    }
    state.current = now;
    return now.screen.text();
  }, [of, before]);
}

function draw({ text, style, cursor }: Run, i: number) {
  if (!cursor && Object.keys(style).length === 0) return text;
  return <span key={i} className={names(style, cursor)} style={colors(style)}>{text}</span>;
}

function names(style: Style, cursor?: boolean): string {
  const all = [cursor && "t-cursor", style.bold && "t-bold", style.faint && "t-faint", style.italic && "t-italic", style.underline && "t-under", style.struck && "t-struck"];
  return all.filter(Boolean).join(" ");
}

function colors({ fg, bg, inverse, hidden }: Style): CSSProperties {
  // Black text on a colour is meant to be read, which it is on the bright one.
  if ((fg === 0 || fg === 8) && bg !== undefined && bg !== 0) [fg, bg, inverse] = [bg, undefined, !inverse];
  const [front, back] = [color(fg, "t"), color(bg, "t-on")];
  const shown = inverse ? { color: back ?? "var(--t-canvas)", backgroundColor: front ?? "var(--t-text)" } : { color: front, backgroundColor: back };
  return hidden ? { ...shown, color: "transparent" } : shown;
}

/** color is one of the theme's 16, which has others below text, or what the program asked for. */
function color(of: number | string | undefined, kind: "t" | "t-on"): string | undefined {
  if (typeof of !== "number") return of;
  return of < 16 ? `var(--${kind}-${of})` : cube(of);
}
