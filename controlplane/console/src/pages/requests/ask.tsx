import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useLocation } from "wouter";
import { useAction } from "../../api/action";
import { useClients } from "../../api/clients";
import { problem } from "../../api/problem";
import type { Repair } from "../../gen/access/v1/common_pb";
import { requirement } from "../../text/approval";
import { spanOf, toDuration } from "../../text/spans";
import { fromInput, parseSpan } from "../../text/time";
import { Dialog } from "../../ui/dialog";
import { Area, Check, Field } from "../../ui/field";
import { Icon } from "../../ui/icons";
import { Button } from "../../ui/parts";
import { grantsKey } from "../grants/key";
import { requestsKey } from "./index";

interface Wish {
  resource: string;
  actions: string;
  span: string;
  reason: string;
  ticket: string;
  start: string;
  breakGlass: boolean;
}

const nothing: Wish = { resource: "", actions: "", span: "1h", reason: "", ticket: "", start: "", breakGlass: false };

/** AskForAccess files an access request. A refusal says what would be permitted, and fills it in. */
export function AskForAccess({ onClose }: { onClose: () => void }) {
  const { requests } = useClients();
  const [, go] = useLocation();
  const [wish, setWish] = useState(nothing);
  const set = (part: Partial<Wish>) => setWish({ ...wish, ...part });
  const ms = parseSpan(wish.span);
  const act = useAction({
    run: () => requests.createRequest(message(wish, ms!)),
    done: ({ grant }) => (grant ? "Granted. It can be used now." : "Asked. It waits for approval."),
    stale: [requestsKey, grantsKey],
    after: ({ request, grant }) => go(grant ? `/grants/${grant.id}` : `/approvals/${request?.id}`),
  });
  const repair = act.error ? problem(act.error).refusal?.repair : undefined;
  return (
    <Dialog
      title="Ask for access" action="Ask" busy={act.isPending} blocked={ms === undefined || wish.resource === ""} error={act.error}
      remedy={repair && <Permitted of={repair} use={() => (act.reset(), set(repaired(repair)))} />} onSubmit={() => act.mutate()} onClose={onClose}
    >
      <Resource value={wish.resource} onChange={(resource) => set({ resource })} />
      <Field label="Actions" value={wish.actions} onChange={(e) => set({ actions: e.target.value })} placeholder="sql:read" hint="Separated by spaces. None asks for whatever policy permits." spellCheck={false} />
      <Field label="For how long" value={wish.span} required onChange={(e) => set({ span: e.target.value })} error={ms === undefined ? "Write it as 30m, 1h or 1h30m." : undefined} />
      <Area label="Reason" value={wish.reason} maxLength={1000} onChange={(e) => set({ reason: e.target.value })} hint="Approvers read it." />
      <Field label="Ticket" value={wish.ticket} onChange={(e) => set({ ticket: e.target.value })} />
      <Field label="From" type="datetime-local" value={wish.start} onChange={(e) => set({ start: e.target.value })} hint="Empty is at once." />
      <Check label="Break the glass: without approvers, where policy permits that. It raises an alarm and is reviewed." checked={wish.breakGlass} onChange={(breakGlass) => set({ breakGlass })} />
    </Dialog>
  );
}

function Resource({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { resources } = useClients();
  const list = useId();
  const known = useQuery({ queryKey: ["resources"], queryFn: () => resources.listResources({}) });
  return (
    <>
      <Field label="Resource" required list={list} value={value} onChange={(e) => onChange(e.target.value)} spellCheck={false} autoComplete="off" />
      <datalist id={list}>{known.data?.resources.map((r) => <option key={r.name} value={r.name} />)}</datalist>
    </>
  );
}

function Permitted({ of, use }: { of: Repair; use: () => void }) {
  const asks = of.requirements.map(requirement).join(" and ");
  return (
    <div className="note" data-tone="info">
      <Icon name="help" />
      <div>
        <p className="note-title">This would be permitted</p>
        <ul>
          {of.actions.length > 0 && <li>Actions: {of.actions.join(", ")}</li>}
          {of.dropped.length > 0 && <li>Without: {of.dropped.join(", ")}</li>}
          {of.duration && <li>For at most {spanOf(of.duration)}</li>}
          {of.reasonRequired && <li>With a reason</li>}
          {of.ticketRequired && <li>With a ticket</li>}
          {of.breakGlass && <li>As break-glass only</li>}
          <li>{asks ? `After approval: ${asks}` : "At once, without approval"}</li>
        </ul>
      </div>
      <Button onClick={use}>Fill in</Button>
    </div>
  );
}

function repaired({ resource, actions, duration, breakGlass }: Repair): Partial<Wish> {
  return {
    ...(resource && { resource }),
    actions: actions.join(" "),
    ...(duration && { span: `${Number(duration.seconds)}s` }),
    breakGlass,
  };
}

function message({ resource, actions, reason, ticket, start, breakGlass }: Wish, ms: number) {
  const startAt = fromInput(start);
  return {
    resource, reason: reason.trim(), ticket: ticket.trim(), breakGlass,
    actions: actions.split(/[\s,]+/).filter((action) => action !== ""),
    duration: toDuration(ms),
    startAt: startAt && timestampFromDate(startAt),
  };
}
