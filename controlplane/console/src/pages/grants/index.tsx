import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useClients } from "../../api/clients";
import { usePaged } from "../../api/paged";
import type { Grant } from "../../gen/access/v1/requests_pb";
import { useMe } from "../../signedin";
import { Check, Choice } from "../../ui/field";
import { Listing } from "../../ui/listing";
import { Button, Empty, Page, Tags } from "../../ui/parts";
import { Said } from "../../ui/said";
import type { Column } from "../../ui/table";
import { Who } from "../../ui/who";
import { GrantState } from "./state";
import { grantsKey } from "./key";
import { Review } from "./review";
import { Revoke } from "./revoke";

/** Grants lists what was granted, ends it, and has broken glass reviewed. */
export function Grants() {
  const { grants } = useClients();
  const me = useMe();
  const [search, setSearch] = useSearchParams();
  const [dialog, setDialog] = useState<{ what: "revoke" | "review"; grant: Grant } | null>(null);
  const whose = search.get("whose") ?? (me.auditor ? "all" : "mine");
  const show = search.get("show") ?? "active";
  const set = (name: string, value: string) => setSearch((old) => (old.set(name, value), old), { replace: true });
  const paged = usePaged({
    key: [...grantsKey, whose, show],
    load: (pageToken, signal) => grants.listGrants({ all: whose === "all", includeEnded: show !== "active", needsReview: show === "review", pageToken }, { signal }),
    rows: (answer) => answer.grants,
    every: 15_000,
  });
  const columns = grantColumns(me, (what, grant) => setDialog({ what, grant }));
  return (
    <Page title="Grants" lead="What may be used now, and until when. Revoking one ends its sessions at once.">
      <div className="bar">
        {me.auditor && <Choice label="Whose grants" value={whose} options={[["all", "Everybody’s"], ["mine", "Mine"]]} onChange={(v) => set("whose", v)} />}
        {me.auditor ? (
          <Choice label="Which grants" value={show} options={[["active", "Active"], ["ended", "With ended"], ["review", "To review"]]} onChange={(v) => set("show", v)} />
        ) : (
          <Check label="With ended ones" checked={show === "ended"} onChange={(on) => set("show", on ? "ended" : "active")} />
        )}
      </div>
      <Listing of={paged} caption="Grants" columns={columns} keyOf={(g) => g.id} empty={<Nothing review={show === "review"} />} />
      {dialog?.what === "revoke" && <Revoke grant={dialog.grant} onClose={() => setDialog(null)} />}
      {dialog?.what === "review" && <Review grant={dialog.grant} onClose={() => setDialog(null)} />}
    </Page>
  );
}

function grantColumns(me: ReturnType<typeof useMe>, open: (what: "revoke" | "review", grant: Grant) => void): Column<Grant>[] {
  return [
    { head: "Principal", cell: (g) => <Who of={g.principal} /> },
    { head: "Resource", cell: (g) => <div className="cell-lines"><Said text={g.resource} /><Tags of={g.actions} none="any action" /></div> },
    { head: "Reason", cell: (g) => <Said text={g.reason || "none"} /> },
    { head: "State", cell: (g) => <GrantState of={g} /> },
    { head: "Grant", fit: true, cell: (g) => <Link href={`/grants/${g.id}`}>Open<span className="hidden"> {g.id}</span></Link> },
    {
      head: "", fit: true,
      cell: (g) => (
        <div className="actions">
          {me.auditor && g.breakGlass && !g.review && g.principal?.name !== me.principal.name && <Button onClick={() => open("review", g)}>Review…</Button>}
          {mayRevoke(me, g) && <Button look="danger" onClick={() => open("revoke", g)}>Revoke…</Button>}
        </div>
      ),
    },
  ];
}

/** mayRevoke says whether to offer it: to administrators, and to everybody for what is their own. */
export function mayRevoke(me: ReturnType<typeof useMe>, grant: Grant): boolean {
  const over = grant.revokedAt !== undefined || (!grant.active && Number(grant.expiresAt?.seconds ?? 0) * 1000 < Date.now());
  return !over && (me.admin || grant.principal?.name === me.principal.name);
}

function Nothing({ review }: { review: boolean }) {
  if (review) return <Empty icon="flame" title="Nothing to review">Whenever somebody breaks the glass, it stands here until it is reviewed.</Empty>;
  return <Empty icon="grants" title="No grants"><p>A grant begins when a request is approved, or when policy permits it at once.</p></Empty>;
}
