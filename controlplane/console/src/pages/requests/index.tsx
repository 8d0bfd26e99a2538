import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useClients } from "../../api/clients";
import { usePaged } from "../../api/paged";
import { RequestState, type AccessRequest } from "../../gen/access/v1/requests_pb";
import { useMe } from "../../signedin";
import { statusOfRequest } from "../../text/approval";
import { spanOf } from "../../text/spans";
import { Ask } from "../../ui/ask";
import { Choice, Select } from "../../ui/field";
import { Listing } from "../../ui/listing";
import { When } from "../../ui/now";
import { Badge, Button, Empty, Page, Tags } from "../../ui/parts";
import { Said } from "../../ui/said";
import type { Column } from "../../ui/table";
import { Who } from "../../ui/who";
import { AskForAccess } from "./ask";

export const requestsKey = ["requests"];

const states: [string, string][] = [
  ["0", "Any state"], [String(RequestState.PENDING), "Waiting"], [String(RequestState.GRANTED), "Granted"],
  [String(RequestState.DENIED), "Denied"], [String(RequestState.WITHDRAWN), "Withdrawn"], [String(RequestState.EXPIRED), "Expired"],
];

/** Requests lists access requests: one's own, or everybody's for who may see them. */
export function Requests() {
  const { requests } = useClients();
  const me = useMe();
  const [search, setSearch] = useSearchParams();
  const [dialog, setDialog] = useState<"ask" | AccessRequest | null>(null);
  const whose = search.get("whose") ?? (me.auditor ? "all" : "mine");
  const state = Number(search.get("state") ?? 0) as RequestState;
  const set = (name: string, value: string) => setSearch((old) => (old.set(name, value), old), { replace: true });
  const paged = usePaged({
    key: [...requestsKey, whose, state],
    load: (pageToken, signal) => requests.listRequests({ all: whose === "all", state, pageToken }, { signal }),
    rows: (answer) => answer.requests,
    every: 15_000,
  });
  return (
    <Page title="Requests" lead="Who asked for access, to what, and what became of it." actions={<Button look="primary" icon="plus" onClick={() => setDialog("ask")}>Ask for access</Button>}>
      <div className="bar">
        {me.auditor && <Choice label="Whose requests" value={whose} options={[["all", "Everybody’s"], ["mine", "Mine"]]} onChange={(v) => set("whose", v)} />}
        <Select label="State" options={states} value={String(state)} onChange={(e) => set("state", e.target.value)} />
      </div>
      <Listing
        of={paged} caption="Access requests" columns={columns(me.principal.name, setDialog)} keyOf={(r) => r.id}
        empty={<Empty icon="requests" title="No requests"><p>Ask for access here, with <code>writ request</code>, or let an agent ask. What policy permits is granted at once.</p></Empty>}
      />
      {dialog === "ask" && <AskForAccess onClose={() => setDialog(null)} />}
      {dialog !== null && dialog !== "ask" && <Withdraw of={dialog} onClose={() => setDialog(null)} />}
    </Page>
  );
}

function columns(me: string, withdraw: (request: AccessRequest) => void): Column<AccessRequest>[] {
  return [
    { head: "Principal", cell: (r) => <Who of={r.principal} /> },
    { head: "Resource", cell: (r) => <ResourceCell of={r} /> },
    { head: "Reason", cell: (r) => <Said text={r.reason || "none"} /> },
    { head: "For", fit: true, cell: (r) => r.duration && spanOf(r.duration) },
    { head: "State", fit: true, cell: (r) => <Badge tone={statusOfRequest(r.state).tone}>{statusOfRequest(r.state).label}</Badge> },
    { head: "Asked", fit: true, cell: (r) => <Link href={`/approvals/${r.id}`}><When at={r.createdAt} /></Link> },
    {
      head: "", fit: true,
      cell: (r) => r.state === RequestState.PENDING && r.principal?.name === me && <div className="actions"><Button onClick={() => withdraw(r)}>Withdraw…</Button></div>,
    },
  ];
}

function ResourceCell({ of }: { of: AccessRequest }) {
  return (
    <div className="cell-lines">
      <Said text={of.resource} />
      <Tags of={of.actions} none="any action" />
      {of.breakGlass && <Badge tone="bad">break-glass</Badge>}
      {of.extends && <span className="faint">lengthens {of.extends}</span>}
    </div>
  );
}

function Withdraw({ of, onClose }: { of: AccessRequest; onClose: () => void }) {
  const { requests } = useClients();
  return (
    <Ask title="Take the request back?" action="Withdraw" run={() => requests.withdrawRequest({ id: of.id })} done={() => "The request is withdrawn."} stale={[requestsKey]} onClose={onClose}>
      <p>Nobody can approve it any more. You can ask again.</p>
    </Ask>
  );
}
