import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { useClients } from "../../api/clients";
import type { Session } from "../../gen/access/v1/sessions_pb";
import { useMe } from "../../signedin";
import { number } from "../../text/count";
import { Moment } from "../../ui/now";
import { Badge, Button, Card, Facts, Loading, Page } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Trouble } from "../../ui/trouble";
import { Who } from "../../ui/who";
import { IntentFacts } from "../approvals/intent";
import { Kill } from "../sessions/kill";
import { Replay } from "./replay";

/** SessionPage is one session with its recording. */
export function SessionPage({ id }: { id: string }) {
  const { sessions } = useClients();
  const asked = useQuery({
    queryKey: ["session", id],
    queryFn: async () => (await sessions.getSession({ id })).session ?? null,
    refetchInterval: ({ state }) => (state.data?.live ? 5_000 : false),
  });
  return (
    <Page title="Session" lead={<Link href="/sessions">All sessions</Link>} actions={asked.data && <Actions of={asked.data} />}>
      {asked.isPending && <Loading rows={6} />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data && (
        <>
          <About of={asked.data} />
          <Replay session={asked.data} />
        </>
      )}
    </Page>
  );
}

function Actions({ of }: { of: Session }) {
  const me = useMe();
  const [killing, setKilling] = useState(false);
  if (!of.live || !(me.admin || of.principal?.name === me.principal.name)) return null;
  return (
    <>
      <Button look="danger" onClick={() => setKilling(true)}>Kill…</Button>
      {killing && <Kill session={of} onClose={() => setKilling(false)} />}
    </>
  );
}

function About({ of }: { of: Session }) {
  return (
    <Card>
      <div className="columns">
        <Facts
          of={[
            ["State", of.live ? <Badge tone="good">Live</Badge> : <><Badge>Ended</Badge> <Said text={of.endReason} /></>],
            ["Principal", <Who of={of.principal} groups />],
            ["Resource", <Link href={`/resources/${of.resource}`}><Said text={of.resource} /></Link>],
            ["Reason given", of.requestReason && <Said text={of.requestReason} />],
            ["Grant", of.grant && <Link href={`/grants/${of.grant}`}><code>{of.grant}</code></Link>],
          ]}
        />
        <Facts
          of={[
            ["Client", <><Said text={of.application || of.protocol} />{of.clientAddr && <> from <Said text={of.clientAddr} /></>}</>],
            ["Edge", of.edge && <Said text={of.edge} />],
            ["Started", <Moment at={of.startedAt} />],
            ["Ended", of.endedAt && <Moment at={of.endedAt} />],
            ["Commands", <>{number(of.commands)}{of.denied > 0n && <span className="bad">, {number(of.denied)} denied</span>}</>],
            ["Id", <code>{of.id}</code>],
          ]}
        />
      </div>
      {of.intent && <IntentFacts of={of.intent} />}
    </Card>
  );
}
