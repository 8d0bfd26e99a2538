import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { useClients } from "../../api/clients";
import type { Revision } from "../../gen/access/v1/policies_pb";
import { useDraft } from "../../draft";
import { useMe } from "../../signedin";
import { count } from "../../text/count";
import { Ask } from "../../ui/ask";
import { When } from "../../ui/now";
import { Badge, Button, Empty, Loading } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Table, type Column } from "../../ui/table";
import { Trouble } from "../../ui/trouble";
import { revisionsKey } from "./key";

/** History lists the revisions and which edges enforce each, and brings an earlier one back. */
export function History() {
  const { policies } = useClients();
  const { admin } = useMe();
  const [back, setBack] = useState<Revision | null>(null);
  const asked = useQuery({ queryKey: revisionsKey, queryFn: () => policies.listRevisions({}), refetchInterval: 5_000 });
  const revisions = [...(asked.data?.revisions ?? [])].sort((a, b) => Number(b.number - a.number));
  const enforced = Object.entries(asked.data?.enforced ?? {});
  const columns = revisionColumns(revisions[0]?.number ?? 0n, enforced, admin ? setBack : undefined);
  return (
    <>
      {asked.isPending && <Loading />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {revisions.length > 0 && <Table caption="Revisions" columns={columns} rows={revisions} keyOf={(r) => String(r.number)} />}
      {asked.data && revisions.length === 0 && <Empty icon="policy" title="No revision yet">Everything is denied until the first policy is pushed.</Empty>}
      {back && <Rollback to={back} onClose={() => setBack(null)} />}
    </>
  );
}

function revisionColumns(newest: bigint, enforced: [string, bigint][], back?: (revision: Revision) => void): Column<Revision>[] {
  const all: Column<Revision>[] = [
    { head: "Revision", fit: true, cell: (r) => <>{String(r.number)} {r.number === newest && <Badge tone="info">Newest</Badge>}</> },
    { head: "Message", cell: (r) => <div className="cell-lines"><Said text={r.message || "none"} />{r.rollbackOf > 0n && <span className="faint">brings back {String(r.rollbackOf)}</span>}</div> },
    { head: "By", cell: (r) => <div className="cell-lines"><Said text={r.author} /><span className="faint"><When at={r.createdAt} /></span></div> },
    { head: "Policies", number: true, fit: true, cell: (r) => r.policies },
    { head: "Enforced by", cell: (r) => <Enforcing edges={enforced.filter(([, n]) => n === r.number).map(([name]) => name)} /> },
    { head: "Changes", fit: true, cell: (r) => r.number > 1n && <Link href={`/policy/diff?from=${r.number - 1n}&to=${r.number}`}>Compare<span className="hidden"> revision {String(r.number)} with the one before</span></Link> },
  ];
  if (back) all.push({ head: "", fit: true, cell: (r) => r.number !== newest && <div className="actions"><Button onClick={() => back(r)}>Bring back…</Button></div> });
  return all;
}

function Enforcing({ edges }: { edges: string[] }) {
  if (edges.length === 0) return <span className="faint">no edge</span>;
  const shown = edges.sort().slice(0, 4).join(", ");
  return <span title={edges.join(", ")}><Said text={shown} />{edges.length > 4 && ` and ${count(edges.length - 4, "more edge")}`}</span>;
}

function Rollback({ to, onClose }: { to: Revision; onClose: () => void }) {
  const { policies } = useClients();
  const { draft, setDraft } = useDraft();
  return (
    <Ask
      title={`Bring revision ${to.number} back?`} action="Bring back" label="Message" required onClose={onClose} stale={[["policy"], ["edges"]]}
      run={async (message) => (await policies.rollbackPolicy({ revision: to.number, message })).revision}
      done={(revision) => {
        // An unchanged draft follows the newest revision.
        if (draft && draft.files === draft.before) setDraft(null);
        return `Revision ${revision?.number ?? ""} is published, the same as ${to.number}.`;
      }}
    >
      <p>Its policies become the next revision, and every edge enforces them. Nothing of the history is lost.</p>
    </Ask>
  );
}
