import type { ReactNode } from "react";

export interface Column<T> {
  head: string;
  cell: (row: T) => ReactNode;
  /** fit keeps the column as narrow as what is in it. */
  fit?: boolean;
  /** number sets figures to the right, under each other. */
  number?: boolean;
}

interface Props<T> {
  caption: string;
  columns: Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
}

/** Table shows rows; on a narrow screen each row becomes a card with the heads beside the values. */
export function Table<T>({ caption, columns, rows, keyOf }: Props<T>) {
  return (
    <div className="table-frame">
      <table className="table" role="table">
        <caption className="hidden">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((c) => (
              <th key={c.head} role="columnheader" scope="col" data-number={c.number || undefined} data-fit={c.fit || undefined}>
                {c.head || <span className="hidden">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row">
              {columns.map((c) => (
                <td key={c.head} role="cell" data-head={c.head || undefined} data-number={c.number || undefined} data-fit={c.fit || undefined}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
