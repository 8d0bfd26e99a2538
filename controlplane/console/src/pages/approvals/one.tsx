import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { useClients } from "../../api/clients";
import type { Approval } from "../../gen/access/v1/approvals_pb";
import { useInbox } from "../../inbox";
import { isPending, matter } from "../../text/approval";
import { useKeys } from "../../ui/keys";
import { Facts, Loading, Page } from "../../ui/parts";
import { Trouble } from "../../ui/trouble";
import { Card } from "./card";
import { Decide, type Verdict } from "./decide";

const pollEvery = 5_000;

/** ApprovalPage is one approval, at the address that notifications link to. */
export function ApprovalPage({ id }: { id: string }) {
  const { approvals } = useClients();
  const live = useInbox().byID.get(id);
  const asked = useQuery({
    queryKey: ["approval", id],
    queryFn: async () => (await approvals.getApproval({ id })).approval ?? null,
    refetchInterval: ({ state }) => (state.data && isPending(state.data) ? pollEvery : false),
  });
  const approval = newer(live, asked.data ?? undefined);
  return (
    <Page title={approval ? title(approval) : "Approval"} lead={<Link href="/approvals">All approvals</Link>}>
      {asked.isPending && !approval && <Loading rows={5} />}
      {asked.error && !approval && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {approval && <One approval={approval} />}
    </Page>
  );
}

function One({ approval }: { approval: Approval }) {
  const [deciding, setDeciding] = useState<{ shown: Approval; verdict: Verdict } | null>(null);
  const decide = (verdict: Verdict) => setDeciding({ shown: approval, verdict });
  const possible = approval.canVote && isPending(approval);
  useKeys({
    a: (event) => possible && (event.preventDefault(), decide("approve")),
    d: (event) => possible && (event.preventDefault(), decide("deny")),
  });
  const about = matter(approval)!;
  return (
    <>
      <Card approval={approval} alone onApprove={() => decide("approve")} onDeny={() => decide("deny")} />
      <Facts of={[["Id", <code key="id">{about.id}</code>], ["Digest", <code key="digest" className="digest">{about.digest}</code>]]} />
      {deciding && <Decide {...deciding} now={approval} onClose={() => setDeciding(null)} />}
    </>
  );
}

function title({ subject }: Approval): string {
  return subject.case === "command" ? "Held command" : "Access request";
}

/** newer prefers what is decided, and then the live stream: a decision is never taken back. */
function newer(live?: Approval, asked?: Approval): Approval | undefined {
  return asked && (!live || !isPending(asked)) ? asked : live;
}
