import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useClients } from "../../api/clients";
import type { Edge } from "../../gen/access/v1/edges_pb";
import { useMe } from "../../signedin";
import { number } from "../../text/count";
import { toMs } from "../../text/spans";
import { span } from "../../text/time";
import { Ask } from "../../ui/ask";
import { When } from "../../ui/now";
import { Badge, Button, Empty, Loading, Page } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Table, type Column } from "../../ui/table";
import { Note, Trouble } from "../../ui/trouble";
import { Join } from "./join";

/** Edges lists the fleet: which are there, what they enforce, and how far their records lag. */
export function Edges() {
  const { edges } = useClients();
  const { admin } = useMe();
  const [dialog, setDialog] = useState<"join" | Edge | null>(null);
  const asked = useQuery({ queryKey: ["edges"], queryFn: () => edges.listEdges({}), refetchInterval: 5_000 });
  const all = asked.data?.edges.filter((e) => !e.removed) ?? [];
  const behind = all.filter((e) => e.connected && e.revision < e.newestRevision).length;
  return (
    <Page title="Edges" lead="What stands between clients and targets." actions={admin && <Button look="primary" icon="plus" onClick={() => setDialog("join")}>Add an edge</Button>}>
      {asked.isPending && <Loading />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {behind > 0 && <Note tone="warn" title={behind === 1 ? "One edge does not enforce the newest policy" : `${behind} edges do not enforce the newest policy`}>They decide by the revision they have until they take the new one.</Note>}
      {all.length > 0 && <Table caption="Edges" columns={columns(admin ? setDialog : undefined)} rows={all} keyOf={(e) => e.name} />}
      {asked.data && all.length === 0 && <Empty icon="edges" title="No edge yet"><p>An edge runs beside the targets and dials out to the control plane. {admin ? "Add one to get the command that starts it." : "An administrator adds one."}</p></Empty>}
      {dialog === "join" && <Join onClose={() => setDialog(null)} />}
      {dialog !== null && dialog !== "join" && <Remove of={dialog} onClose={() => setDialog(null)} />}
    </Page>
  );
}

function columns(remove?: (edge: Edge) => void): Column<Edge>[] {
  const all: Column<Edge>[] = [
    { head: "Edge", cell: (e) => <div className="cell-lines"><strong><Said text={e.name} /></strong><span className="faint"><Said text={[...e.endpoints, ...e.kubernetesEndpoints, ...e.awsEndpoints].join(", ") || e.names.join(", ")} /></span></div> },
    { head: "State", fit: true, cell: (e) => <div className="cell-lines"><span>{e.connected ? <Badge tone="good">Connected</Badge> : <Badge tone="bad">Not connected</Badge>}</span>{!e.connected && <span className="faint">seen <When at={e.seenAt} none="never" /></span>}</div> },
    { head: "Policy", cell: (e) => <Enforced of={e} /> },
    { head: "Records lag", fit: true, number: true, cell: (e) => (e.recordLag ? span(toMs(e.recordLag)) : "none") },
    { head: "Sessions", fit: true, number: true, cell: (e) => number(e.liveSessions) },
    { head: "Version", fit: true, cell: (e) => <Said text={e.version} /> },
  ];
  if (remove) all.push({ head: "", fit: true, cell: (e) => <div className="actions"><Button look="danger" onClick={() => remove(e)}>Remove…</Button></div> });
  return all;
}

function Enforced({ of }: { of: Edge }) {
  const behind = of.newestRevision - of.revision;
  return (
    <div className="cell-lines">
      <span>Revision {number(of.revision)} {behind > 0n ? <Badge tone="warn">{number(behind)} behind {number(of.newestRevision)}</Badge> : <Badge tone="good">Newest</Badge>}</span>
      {of.policyError && <span className="bad"><Said text={of.policyError} /></span>}
    </div>
  );
}

function Remove({ of, onClose }: { of: Edge; onClose: () => void }) {
  const { edges } = useClients();
  return (
    <Ask title="Remove this edge?" action="Remove" run={() => edges.removeEdge({ name: of.name })} done={() => "The edge is removed, and its sessions end."} stale={[["edges"], ["sessions"]]} onClose={onClose}>
      <p>The certificate of <strong><Said text={of.name} /></strong> is refused from now on. Its {number(of.liveSessions)} live sessions end. To bring it back, it must join again.</p>
    </Ask>
  );
}
