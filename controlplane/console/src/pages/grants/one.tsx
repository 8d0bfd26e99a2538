import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { useClients } from "../../api/clients";
import type { Grant } from "../../gen/access/v1/requests_pb";
import { useMe } from "../../signedin";
import { Copy } from "../../ui/copy";
import { Moment } from "../../ui/now";
import { Button, Card, Facts, Loading, Page, Tags } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Trouble } from "../../ui/trouble";
import { Who } from "../../ui/who";
import { IntentFacts } from "../approvals/intent";
import { mayRevoke } from "./index";
import { Review } from "./review";
import { Revoke } from "./revoke";
import { GrantState } from "./state";

/** GrantPage is one grant. */
export function GrantPage({ id }: { id: string }) {
  const { grants } = useClients();
  const asked = useQuery({ queryKey: ["grant", id], queryFn: async () => (await grants.getGrant({ id })).grant ?? null, refetchInterval: 15_000 });
  return (
    <Page title="Grant" lead={<Link href="/grants">All grants</Link>} actions={asked.data && <Actions of={asked.data} />}>
      {asked.isPending && <Loading rows={4} />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data && <One of={asked.data} />}
    </Page>
  );
}

function Actions({ of }: { of: Grant }) {
  const me = useMe();
  const [open, setOpen] = useState<"revoke" | "review" | null>(null);
  return (
    <>
      {me.auditor && of.breakGlass && !of.review && <Button onClick={() => setOpen("review")}>Review…</Button>}
      {mayRevoke(me, of) && <Button look="danger" onClick={() => setOpen("revoke")}>Revoke…</Button>}
      {open === "revoke" && <Revoke grant={of} onClose={() => setOpen(null)} />}
      {open === "review" && <Review grant={of} onClose={() => setOpen(null)} />}
    </>
  );
}

function One({ of }: { of: Grant }) {
  const me = useMe();
  const command = `writ connect ${of.resource} --grant ${of.id}`;
  return (
    <>
      <Card>
        <Facts
          of={[
            ["State", <GrantState of={of} />],
            ["Principal", <Who of={of.principal} groups />],
            ["Resource", <Link href={`/resources/${of.resource}`}><Said text={of.resource} /></Link>],
            ["Actions", <Tags of={of.actions} none="whatever policy permits" />],
            ["Reason given", of.reason && <Said text={of.reason} />],
            ["Ticket", of.ticket && <Said text={of.ticket} />],
            ["Begins", of.startsAt && <Moment at={of.startsAt} />],
            ["Ends", of.expiresAt && <Moment at={of.expiresAt} />],
            ["Revoked because", of.revokeReason && <Said text={of.revokeReason} />],
            ["Request", of.request && <Link href={`/approvals/${of.request}`}><code>{of.request}</code></Link>],
            ["Id", <code>{of.id}</code>],
          ]}
        />
        {of.intent && <IntentFacts of={of.intent} />}
      </Card>
      {of.active && of.principal?.name === me.principal.name && (
        <Card title="Use it"><p className="soft">Sign in with the command line, then open a connection through the edge:</p><Copy text={command} /></Card>
      )}
      {of.review && (
        <Card title="Review">
          <Facts of={[["Verdict", of.review.justified ? "Justified" : "Not justified"], ["By", <Said text={of.review.reviewer} />], ["Comment", <Said text={of.review.comment} />], ["At", <Moment at={of.review.at} />]]} />
        </Card>
      )}
    </>
  );
}
