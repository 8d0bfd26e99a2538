import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useClients } from "../../api/clients";
import { usePaged } from "../../api/paged";
import type { Session } from "../../gen/access/v1/sessions_pb";
import { useMe } from "../../signedin";
import { number } from "../../text/count";
import { useSettled } from "../../ui/settled";
import { Choice, Field } from "../../ui/field";
import { toDate, useNow, When } from "../../ui/now";
import { Badge, Button, Empty, Loading, LinkButton, Page } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Trouble } from "../../ui/trouble";
import { VirtualTable, type VirtualColumn } from "../../ui/virtual";
import { span } from "../../text/time";
import { Kill } from "./kill";

export const sessionsKey = ["sessions"];

const pageSize = 500;

/** Sessions lists who is connected to what, live, or also who was. */
export function Sessions() {
  const { sessions } = useClients();
  const [search, setSearch] = useSearchParams();
  const [killing, setKilling] = useState<Session | null>(null);
  const filter = { show: search.get("show") ?? "live", principal: search.get("principal") ?? "", resource: search.get("resource") ?? "" };
  const set = (name: string, value: string) => setSearch((old) => (value ? old.set(name, value) : old.delete(name), old), { replace: true });
  const settled = useSettled(filter);
  const paged = usePaged({
    key: [...sessionsKey, settled],
    load: (pageToken, signal) => sessions.listSessions({ all: settled.show === "all", principal: settled.principal, resource: settled.resource, limit: pageSize, pageToken }, { signal }),
    rows: (answer) => answer.sessions,
    every: 5_000,
  });
  const columns = useColumns(setKilling);
  const filtered = filter.principal !== "" || filter.resource !== "";
  return (
    <Page title="Sessions" lead={<Known rows={paged.rows.length} more={paged.more !== undefined} />}>
      <div className="bar">
        <Choice label="Which sessions" value={filter.show} options={[["live", "Live"], ["all", "With ended"]]} onChange={(v) => set("show", v)} />
        <Field label="Principal" value={filter.principal} onChange={(e) => set("principal", e.target.value)} spellCheck={false} />
        <Field label="Resource" value={filter.resource} onChange={(e) => set("resource", e.target.value)} spellCheck={false} />
      </div>
      {paged.error !== null && <Trouble error={paged.error} retry={paged.again} />}
      {paged.pending && <Loading rows={10} />}
      {paged.rows.length > 0 && <VirtualTable caption="Sessions" columns={columns} rows={paged.rows} keyOf={(s) => s.id} onEnd={paged.more} />}
      {!paged.pending && paged.error === null && paged.rows.length === 0 && <Nothing filtered={filtered} live={filter.show === "live"} clear={() => setSearch({})} />}
      {killing && <Kill session={killing} onClose={() => setKilling(null)} />}
    </Page>
  );
}

function Known({ rows, more }: { rows: number; more: boolean }) {
  return <span>{rows === 0 ? "Who is connected to what." : `${number(rows)} ${more ? "loaded, more as you scroll" : rows === 1 ? "session" : "sessions"}`}</span>;
}

function useColumns(kill: (session: Session) => void): VirtualColumn<Session>[] {
  const me = useMe();
  return [
    { head: "Principal", width: "24%", cell: (s) => <Opens of={s} /> },
    { head: "Resource", width: "17%", cell: (s) => <Two top={<Said text={s.resource} />} below={s.edge && <>through <Said text={s.edge} /></>} /> },
    { head: "Client", width: "16%", cell: (s) => <Two top={<Said text={s.application || s.protocol} />} below={<Said text={s.clientAddr} />} /> },
    { head: "Started", width: "14%", cell: (s) => <Two top={<When at={s.startedAt} />} below={<Length of={s} />} /> },
    { head: "Commands", width: "10%", number: true, cell: (s) => <Commands of={s} /> },
    { head: "State", width: "11%", cell: (s) => (s.live ? <Badge tone="good">Live</Badge> : <Ended of={s} />) },
    { head: "", width: "8%", cell: (s) => s.live && (me.admin || s.principal?.name === me.principal.name) && <KillButton of={s} onClick={() => kill(s)} /> },
  ];
}

function Opens({ of }: { of: Session }) {
  const chain = of.principal?.onBehalfOf ?? [];
  return (
    <Two
      top={<Link href={`/sessions/${of.id}`}><Said text={of.principal?.name ?? "unknown"} /></Link>}
      below={chain.length > 0 ? <>for <Said text={chain.join(", for ")} /></> : <Said text={of.requestReason} />}
    />
  );
}

function Two({ top, below }: { top: React.ReactNode; below?: React.ReactNode }) {
  return (
    <div className="two">
      <span>{top}</span>
      <span className="faint">{below}</span>
    </div>
  );
}

function Length({ of }: { of: Session }) {
  const now = useNow();
  const from = toDate(of.startedAt)?.getTime();
  const to = of.live ? now : toDate(of.endedAt)?.getTime();
  return from === undefined || to === undefined ? null : <>{of.live ? "for" : "lasted"} {span(to - from)}</>;
}

function Commands({ of }: { of: Session }) {
  return <Two top={number(of.commands)} below={of.denied > 0n && <span className="bad">{number(of.denied)} denied</span>} />;
}

function KillButton({ of, onClick }: { of: Session; onClick: () => void }) {
  return <div className="actions"><Button look="danger" onClick={onClick}>Kill…<span className="hidden"> the session of {of.principal?.name}</span></Button></div>;
}

function Ended({ of }: { of: Session }) {
  return <Two top={<Badge>Ended</Badge>} below={<Said text={of.endReason} />} />;
}

function Nothing({ filtered, live, clear }: { filtered: boolean; live: boolean; clear: () => void }) {
  if (filtered) return <Empty icon="sessions" title="No session matches"><Button onClick={clear}>Clear the filters</Button></Empty>;
  return (
    <Empty icon="sessions" title={live ? "Nobody is connected" : "No sessions yet"}>
      <p>A session begins when somebody with a grant connects to an edge, for example with <code>writ psql</code>.</p>
      {live && <LinkButton href="/sessions?show=all">See ended sessions</LinkButton>}
    </Empty>
  );
}
