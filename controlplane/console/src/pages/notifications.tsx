import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useAction } from "../api/action";
import { useClients } from "../api/clients";
import { usePaged } from "../api/paged";
import { DeliveryState, type Delivery } from "../gen/access/v1/notifications_pb";
import { useMe } from "../signedin";
import type { Tone } from "../text/tone";
import { Dialog } from "../ui/dialog";
import { Select } from "../ui/field";
import { Listing } from "../ui/listing";
import { When } from "../ui/now";
import { Badge, Button, Empty, Page } from "../ui/parts";
import { Said } from "../ui/said";
import type { Column } from "../ui/table";

const key = ["deliveries"];

const states: Record<DeliveryState, { label: string; tone: Tone }> = {
  [DeliveryState.UNSPECIFIED]: { label: "Any state", tone: "neutral" },
  [DeliveryState.PENDING]: { label: "On its way", tone: "warn" },
  [DeliveryState.DELIVERED]: { label: "Delivered", tone: "good" },
  [DeliveryState.DEAD]: { label: "Given up", tone: "bad" },
};

/** Notifications lists what was sent to the configured receivers, and sends dead letters again. */
export function Notifications() {
  const { notifications } = useClients();
  const { admin } = useMe();
  const [search, setSearch] = useSearchParams();
  const [testing, setTesting] = useState(false);
  const state = Number(search.get("state") ?? 0) as DeliveryState;
  const paged = usePaged({
    key: [...key, state],
    load: (pageToken, signal) => notifications.listDeliveries({ state, pageToken }, { signal }),
    rows: (answer) => answer.deliveries,
    every: 15_000,
  });
  const retry = useAction({ run: (id: string) => notifications.retryDelivery({ id }), done: () => "It is sent again.", stale: [key] });
  const receivers = paged.last?.receivers ?? [];
  return (
    <Page title="Notifications" lead={<Receivers of={receivers} known={paged.last !== undefined} />} actions={admin && receivers.length > 0 && <Button onClick={() => setTesting(true)}>Send a test…</Button>}>
      <div className="bar">
        <Select label="State" value={String(state)} options={Object.entries(states).map(([value, { label }]) => [value, label])} onChange={(e) => setSearch(e.target.value === "0" ? {} : { state: e.target.value }, { replace: true })} />
      </div>
      <Listing of={paged} caption="Deliveries" columns={columns(admin ? (id) => retry.mutate(id) : undefined)} keyOf={(d) => d.id} empty={<Nothing receivers={receivers.length} filtered={state !== 0} />} />
      {testing && <Test receivers={receivers} onClose={() => setTesting(false)} />}
    </Page>
  );
}

function Receivers({ of, known }: { of: string[]; known: boolean }) {
  if (!known) return "What was sent to webhooks and Slack.";
  return of.length === 0 ? "No receiver is configured." : `Receivers: ${of.join(", ")}`;
}

function columns(retry?: (id: string) => void): Column<Delivery>[] {
  const all: Column<Delivery>[] = [
    { head: "Event", cell: (d) => <div className="cell-lines"><code>{d.event}</code><Subject id={d.subject} /></div> },
    { head: "Receiver", fit: true, cell: (d) => <Said text={d.receiver} /> },
    { head: "State", cell: (d) => <div className="cell-lines"><span><Badge tone={states[d.state]?.tone}>{states[d.state]?.label ?? "Unknown"}</Badge></span>{d.error && <span className="bad"><Said text={d.error} /></span>}</div> },
    { head: "Attempts", number: true, fit: true, cell: (d) => d.attempts },
    { head: "Made", fit: true, cell: (d) => <When at={d.createdAt} /> },
    { head: "Next", fit: true, cell: (d) => (d.state === DeliveryState.PENDING ? <When at={d.nextAttemptAt} /> : <When at={d.deliveredAt} />) },
  ];
  if (retry) all.push({ head: "", fit: true, cell: (d) => d.state === DeliveryState.DEAD && <div className="actions"><Button onClick={() => retry(d.id)}>Send again</Button></div> });
  return all;
}

function Subject({ id }: { id: string }) {
  if (/^(req|hold)-/.test(id)) return <Link href={`/approvals/${id}`}><code>{id}</code></Link>;
  if (id.startsWith("grant-")) return <Link href={`/grants/${id}`}><code>{id}</code></Link>;
  if (id.startsWith("ses-")) return <Link href={`/sessions/${id}`}><code>{id}</code></Link>;
  return <span className="faint"><Said text={id} /></span>;
}

function Nothing({ receivers, filtered }: { receivers: number; filtered: boolean }) {
  if (receivers === 0) return <Empty icon="notifications" title="Nobody is told"><p>Add a webhook or Slack to the settings of the control plane under <code>notify</code>, so that approvers learn of what waits.</p></Empty>;
  return <Empty icon="notifications" title={filtered ? "None in that state" : "Nothing was sent yet"}>Requests, holds, broken glass and locks send something.</Empty>;
}

function Test({ receivers, onClose }: { receivers: string[]; onClose: () => void }) {
  const { notifications } = useClients();
  const [receiver, setReceiver] = useState(receivers[0]!);
  const act = useAction({ run: () => notifications.sendTest({ receiver }), done: () => `A test is on its way to ${receiver}.`, stale: [key], after: onClose });
  return (
    <Dialog title="Send a test" action="Send" busy={act.isPending} error={act.error} onSubmit={() => act.mutate()} onClose={onClose}>
      <Select label="Receiver" value={receiver} options={receivers.map((name) => [name, name])} onChange={(e) => setReceiver(e.target.value)} />
    </Dialog>
  );
}
