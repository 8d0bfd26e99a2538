import { memo, useEffect, useLayoutEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { visible, type Viewport } from "../text/window";

export interface VirtualColumn<T> {
  head: string;
  cell: (row: T) => ReactNode;
  /** width is CSS, of the column on a wide screen. */
  width: string;
  number?: boolean;
}

interface Props<T> {
  caption: string;
  columns: VirtualColumn<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  /** onEnd is called when the end of what is there comes near; undefined when nothing comes after it. */
  onEnd?: () => void;
}

// The style sheets say the same: pages.css, .virtual.
const rowHeight = { wide: 56, narrow: 132 };
const narrowBelow = 700;

/** VirtualTable draws only the rows that are seen, so that tens of thousands scroll as a few do. Rows have one height. */
export function VirtualTable<T>({ caption, columns, rows, keyOf, onEnd }: Props<T>) {
  const frame = useRef<HTMLDivElement>(null);
  const view = useViewport(frame);
  const height = view.width < narrowBelow ? rowHeight.narrow : rowHeight.wide;
  const part = visible(rows.length, height, view);
  const nearEnd = rows.length > 0 && part.end >= rows.length - 20;
  const end = useRef(onEnd);
  end.current = onEnd;
  useEffect(() => {
    if (nearEnd) end.current?.();
  }, [nearEnd, rows.length]);
  return (
    <div ref={frame} className="virtual" tabIndex={0} role="region" aria-label={caption}>
      <table className="table" role="table" aria-rowcount={onEnd ? -1 : rows.length + 1}>
        <caption className="hidden">{caption}</caption>
        <colgroup>{columns.map((c) => <col key={c.head} style={{ width: c.width }} />)}</colgroup>
        <thead role="rowgroup">
          <tr role="row" aria-rowindex={1}>
            {columns.map((c) => <th key={c.head} role="columnheader" scope="col" data-number={c.number || undefined}>{c.head || <span className="hidden">Actions</span>}</th>)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          <Space height={part.above} />
          {rows.slice(part.first, part.end).map((row, i) => (
            <MemoRow key={keyOf(row)} row={row} columns={columns as VirtualColumn<unknown>[]} index={part.first + i + 2} />
          ))}
          <Space height={part.below} />
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  row: unknown;
  columns: VirtualColumn<unknown>[];
  index: number;
}

/** MemoRow is drawn once, however far the list is scrolled while the row stays in sight. */
const MemoRow = memo(function Row({ row, columns, index }: RowProps) {
  return (
    <tr role="row" aria-rowindex={index}>
      {columns.map((c) => <td key={c.head} role="cell" data-head={c.head || undefined} data-number={c.number || undefined}>{c.cell(row)}</td>)}
    </tr>
  );
});

function Space({ height }: { height: number }) {
  return height > 0 ? <tr className="space" aria-hidden="true" style={{ height }} /> : null;
}

/** useViewport follows what is seen of an element, at most once a frame. */
function useViewport(frame: RefObject<HTMLDivElement | null>): Viewport & { width: number } {
  const [view, setView] = useState({ scroll: 0, height: 600, width: 1000 });
  useLayoutEffect(() => {
    const element = frame.current!;
    let asked = 0;
    const read = () => {
      asked = 0;
      const { scrollTop: scroll, clientHeight: height, clientWidth: width } = element;
      setView((old) => (old.scroll === scroll && old.height === height && old.width === width ? old : { scroll, height, width }));
    };
    const ask = () => (asked ||= requestAnimationFrame(read));
    const resized = new ResizeObserver(ask);
    resized.observe(element);
    element.addEventListener("scroll", ask, { passive: true });
    read();
    return () => {
      cancelAnimationFrame(asked);
      resized.disconnect();
      element.removeEventListener("scroll", ask);
    };
  }, [frame]);
  return view;
}
