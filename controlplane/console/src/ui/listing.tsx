import type { ReactNode } from "react";
import type { Paged } from "../api/paged";
import { Button, Loading } from "./parts";
import { Table, type Column } from "./table";
import { Trouble } from "./trouble";

interface Props<A, T> {
  of: Paged<A, T>;
  caption: string;
  columns: Column<T>[];
  keyOf: (row: T) => string;
  empty: ReactNode;
}

/** Listing is a paged table with all that may happen to it: loading, an error, nothing to show, more to load. */
export function Listing<A, T>({ of, caption, columns, keyOf, empty }: Props<A, T>) {
  if (of.pending) return <Loading />;
  return (
    <>
      {of.error !== null && <Trouble error={of.error} retry={of.again} />}
      {of.rows.length > 0 && <Table {...{ caption, columns, keyOf }} rows={of.rows} />}
      {of.rows.length === 0 && of.error === null && !of.more && empty}
      {of.more && <More of={of} />}
    </>
  );
}

export function More<A, T>({ of, children }: { of: Paged<A, T>; children?: ReactNode }) {
  return (
    <div className="more">
      {children}
      {of.more && <Button busy={of.loadingMore} onClick={of.more}>Load more</Button>}
    </div>
  );
}
