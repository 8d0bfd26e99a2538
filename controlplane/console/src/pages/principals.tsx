import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useClients } from "../api/clients";
import { usePaged } from "../api/paged";
import { LockTarget } from "../gen/access/v1/edges_pb";
import type { KnownPrincipal } from "../gen/access/v1/identity_pb";
import { useMe } from "../signedin";
import { count, number } from "../text/count";
import { Ask } from "../ui/ask";
import { Field } from "../ui/field";
import { Listing } from "../ui/listing";
import { When } from "../ui/now";
import { Badge, Button, Empty, Page, Tags } from "../ui/parts";
import { Said } from "../ui/said";
import { useSettled } from "../ui/settled";
import type { Column } from "../ui/table";
import { Who } from "../ui/who";
import { CreateLock } from "./locks/create";

type Doing = { what: "sign out" | "lock"; principal: string };

/** Principals lists who has signed in, as their newest sign-in described them. */
export function Principals() {
  const { principals } = useClients();
  const { admin } = useMe();
  const [search, setSearch] = useSearchParams();
  const [doing, setDoing] = useState<Doing | null>(null);
  const query = search.get("query") ?? "";
  const settled = useSettled(query);
  const paged = usePaged({
    key: ["principals", settled],
    load: (pageToken, signal) => principals.listPrincipals({ query: settled, pageToken }, { signal }),
    rows: (answer) => answer.principals,
    every: 30_000,
  });
  return (
    <Page title="Principals" lead="People, agents, jobs and services that have signed in.">
      <div className="bar">
        <Field label="Name or group" type="search" value={query} spellCheck={false} onChange={(e) => setSearch(e.target.value ? { query: e.target.value } : {}, { replace: true })} />
      </div>
      <Listing
        of={paged} caption="Principals" columns={columns(admin ? setDoing : undefined)} keyOf={(p) => p.principal?.name ?? ""}
        empty={query ? <Empty icon="principals" title="Nobody of that name or group"><Button onClick={() => setSearch({})}>Show all</Button></Empty> : <Empty icon="principals" title="Nobody has signed in yet">A principal appears here with its first sign-in.</Empty>}
      />
      {doing?.what === "sign out" && <SignOut of={doing.principal} onClose={() => setDoing(null)} />}
      {doing?.what === "lock" && <CreateLock target={LockTarget.PRINCIPAL} name={doing.principal} onClose={() => setDoing(null)} />}
    </Page>
  );
}

function columns(open?: (doing: Doing) => void): Column<KnownPrincipal>[] {
  const all: Column<KnownPrincipal>[] = [
    { head: "Principal", cell: (p) => <div className="cell-lines"><Who of={p.principal} />{p.principal?.issuer && <span className="faint"><Said text={p.principal.issuer} /></span>}</div> },
    { head: "Groups", cell: (p) => <Tags of={p.principal?.groups ?? []} /> },
    { head: "Signed in", fit: true, cell: (p) => <When at={p.signedInAt} none="never" /> },
    { head: "Sessions", number: true, fit: true, cell: (p) => <Count n={p.liveSessions} to="/sessions" name={p.principal?.name} /> },
    { head: "Grants", number: true, fit: true, cell: (p) => number(p.activeGrants) },
    { head: "State", fit: true, cell: (p) => (p.locked ? <Badge tone="bad">Locked</Badge> : <Badge tone="good">Free</Badge>) },
  ];
  if (open) all.push({ head: "", fit: true, cell: (p) => <Actions of={p} open={open} /> });
  return all;
}

function Count({ n, to, name = "" }: { n: number; to: string; name?: string }) {
  return n === 0 ? <>0</> : <Link href={`${to}?${new URLSearchParams({ principal: name })}`}>{number(n)}</Link>;
}

function Actions({ of, open }: { of: KnownPrincipal; open: (doing: Doing) => void }) {
  const principal = of.principal?.name ?? "";
  return (
    <div className="actions">
      <Button onClick={() => open({ what: "sign out", principal })}>Sign out…</Button>
      {!of.locked && <Button look="danger" onClick={() => open({ what: "lock", principal })}>Lock…</Button>}
    </div>
  );
}

function SignOut({ of, onClose }: { of: string; onClose: () => void }) {
  const { principals } = useClients();
  return (
    <Ask title="Sign out everywhere?" action="Sign out" run={() => principals.endLogins({ principal: of })} done={({ loginsEnded }) => `${count(loginsEnded, "login")} ended.`} stale={[["principals"]]} onClose={onClose}>
      <p>Every login of <strong><Said text={of} /></strong> ends. Its grants and sessions stay; a lock stops those too.</p>
    </Ask>
  );
}
