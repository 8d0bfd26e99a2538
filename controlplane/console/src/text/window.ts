/** Window is the part of a long list that is drawn: rows from first up to end, and the empty space around them. */
export interface Window {
  first: number;
  end: number;
  above: number;
  below: number;
}

export interface Viewport {
  /** scroll is how far the list was scrolled, height how much of it is seen; both in pixels. */
  scroll: number;
  height: number;
}

/** visible returns which of count rows of one height to draw, with so many more on each side. */
export function visible(count: number, row: number, { scroll, height }: Viewport, more = 12): Window {
  if (count <= 0 || row <= 0) return { first: 0, end: 0, above: 0, below: 0 };
  const top = Math.min(Math.max(0, scroll), Math.max(0, count * row - height));
  // An even first row keeps the stripes and lets small scrolls change nothing.
  const first = Math.max(0, Math.floor(top / row) - more) & ~1;
  const end = Math.min(count, Math.ceil((top + Math.max(height, row)) / row) + more);
  return { first, end, above: first * row, below: (count - end) * row };
}

/** into returns how far to scroll so that a row is seen whole, from where the list is now. */
export function into(index: number, row: number, { scroll, height }: Viewport): number {
  const top = index * row;
  if (top < scroll) return top;
  return top + row > scroll + height ? top + row - height : scroll;
}
