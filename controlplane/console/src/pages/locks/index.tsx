import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useClients } from "../../api/clients";
import type { Lock } from "../../gen/access/v1/edges_pb";
import { useMe } from "../../signedin";
import { Ask } from "../../ui/ask";
import { Countdown, toDate, When } from "../../ui/now";
import { Badge, Button, Empty, Loading, Page } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Table, type Column } from "../../ui/table";
import { Trouble } from "../../ui/trouble";
import { CreateLock } from "./create";
import { targetNames } from "./target";

/** Locks lists what is stopped everywhere. */
export function Locks() {
  const { locks } = useClients();
  const { admin } = useMe();
  const [dialog, setDialog] = useState<"create" | Lock | null>(null);
  const asked = useQuery({ queryKey: ["locks"], queryFn: () => locks.listLocks({}), refetchInterval: 15_000 });
  const all = asked.data?.locks ?? [];
  return (
    <Page title="Locks" lead="What is stopped now, everywhere, until the lock is removed or ends." actions={admin && <Button look="danger" icon="locks" onClick={() => setDialog("create")}>Set a lock…</Button>}>
      {asked.isPending && <Loading />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {all.length > 0 && <Table caption="Locks" columns={columns(admin ? setDialog : undefined)} rows={all} keyOf={(l) => l.id} />}
      {asked.data && all.length === 0 && <Empty icon="locks" title="Nothing is locked">In an emergency, a lock stops a principal, resource, edge or grant within a second.</Empty>}
      {dialog === "create" && <CreateLock onClose={() => setDialog(null)} />}
      {dialog !== null && dialog !== "create" && <Remove of={dialog} onClose={() => setDialog(null)} />}
    </Page>
  );
}

function columns(remove?: (lock: Lock) => void): Column<Lock>[] {
  const all: Column<Lock>[] = [
    { head: "What", fit: true, cell: (l) => <Badge tone="bad">{targetNames[l.target] ?? "Unknown"}</Badge> },
    { head: "Name", cell: (l) => <strong><Said text={l.name} /></strong> },
    { head: "Reason", cell: (l) => <Said text={l.reason} /> },
    { head: "Set", cell: (l) => <><When at={l.createdAt} /> by <Said text={l.createdBy} /></> },
    { head: "Ends", fit: true, cell: (l) => (l.expiresAt ? <Countdown until={toDate(l.expiresAt)!} over="ended" /> : "when removed") },
  ];
  if (remove) all.push({ head: "", fit: true, cell: (l) => <div className="actions"><Button onClick={() => remove(l)}>Remove…</Button></div> });
  return all;
}

function Remove({ of, onClose }: { of: Lock; onClose: () => void }) {
  const { locks } = useClients();
  return (
    <Ask title="Remove the lock?" action="Remove" danger={false} run={() => locks.removeLock({ id: of.id })} done={() => "The lock is removed."} stale={[["locks"], ["principals"]]} onClose={onClose}>
      <p>{targetNames[of.target]} <strong><Said text={of.name} /></strong> can be used again, as far as grants and policy permit.</p>
    </Ask>
  );
}
