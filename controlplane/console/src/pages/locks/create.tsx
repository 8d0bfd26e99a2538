import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useAction } from "../../api/action";
import { useClients } from "../../api/clients";
import { LockTarget } from "../../gen/access/v1/edges_pb";
import { count } from "../../text/count";
import { toDuration } from "../../text/spans";
import { parseSpan } from "../../text/time";
import { Dialog } from "../../ui/dialog";
import { Area, Field, Select } from "../../ui/field";
import { targetNames } from "./target";

interface Props {
  target?: LockTarget;
  name?: string;
  onClose: () => void;
}

/** CreateLock stops a principal, resource, edge or grant everywhere. */
export function CreateLock({ target: given, name: givenName = "", onClose }: Props) {
  const { locks } = useClients();
  const [target, setTarget] = useState(given ?? LockTarget.PRINCIPAL);
  const [name, setName] = useState(givenName);
  const [reason, setReason] = useState("");
  const [span, setSpan] = useState("");
  const ms = parseSpan(span);
  const wrong = span.trim() !== "" && ms === undefined;
  const act = useAction({
    run: () => locks.createLock({ target, name: name.trim(), reason: reason.trim(), ttl: ms === undefined ? undefined : toDuration(ms) }),
    done: ({ sessionsEnded }) => `Locked. ${count(sessionsEnded, "session")} ended.`,
    stale: [["locks"], ["principals"], ["sessions"], ["grants"]],
    after: onClose,
  });
  return (
    <Dialog
      title="Set a lock" action="Lock now" danger busy={act.isPending} blocked={wrong || name.trim() === "" || reason.trim() === ""} error={act.error}
      onSubmit={() => act.mutate()} onClose={onClose}
    >
      <p>What is locked is stopped at once, everywhere: its sessions end, and nothing new begins until the lock is removed or ends.</p>
      {given === undefined && (
        <Select label="What" value={String(target)} options={Object.entries(targetNames).filter(([t]) => t !== "0")} onChange={(e) => setTarget(Number(e.target.value) as LockTarget)} />
      )}
      <Name target={target} value={name} onChange={setName} fixed={givenName !== ""} />
      <Area label="Reason" required value={reason} maxLength={1000} onChange={(e) => setReason(e.target.value)} hint="Whoever is stopped reads it." />
      <Field label="For how long" value={span} placeholder="until removed" onChange={(e) => setSpan(e.target.value)} error={wrong ? "Write it as 30m, 8h or 7d, or leave it empty." : undefined} />
    </Dialog>
  );
}

function Name({ target, value, onChange, fixed }: { target: LockTarget; value: string; onChange: (name: string) => void; fixed: boolean }) {
  const list = useId();
  const known = useNames(target);
  return (
    <>
      <Field label={target === LockTarget.GRANT ? "Id" : "Name"} required readOnly={fixed} list={list} value={value} spellCheck={false} autoComplete="off" onChange={(e) => onChange(e.target.value)} />
      <datalist id={list}>{known.map((name) => <option key={name} value={name} />)}</datalist>
    </>
  );
}

function useNames(target: LockTarget): string[] {
  const { resources, edges } = useClients();
  const inventory = useQuery({ queryKey: ["resources"], queryFn: () => resources.listResources({}), enabled: target === LockTarget.RESOURCE });
  const fleet = useQuery({ queryKey: ["edges"], queryFn: () => edges.listEdges({}), enabled: target === LockTarget.EDGE });
  if (target === LockTarget.RESOURCE) return inventory.data?.resources.map((r) => r.name) ?? [];
  return target === LockTarget.EDGE ? (fleet.data?.edges.map((e) => e.name) ?? []) : [];
}
