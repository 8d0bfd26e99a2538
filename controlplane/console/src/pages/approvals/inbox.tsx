import { useRef, useState } from "react";
import { useLocation } from "wouter";
import type { Approval } from "../../gen/access/v1/approvals_pb";
import { useInbox } from "../../inbox";
import { approvalID, matter } from "../../text/approval";
import { count } from "../../text/count";
import { useKeys } from "../../ui/keys";
import { Empty, LinkButton, Loading, Page } from "../../ui/parts";
import { ProblemNote } from "../../ui/trouble";
import { Card } from "./card";
import { Decide, type Verdict } from "./decide";
import { sections } from "./sections";

/** Approvals is the inbox: what waits for the person who looks, live, and what waits for others. */
export function Approvals() {
  const { byID, ready, live, problem } = useInbox();
  const [deciding, setDeciding] = useState<{ shown: Approval; verdict: Verdict } | null>(null);
  const parts = sections([...byID.values()]);
  const shown = parts.flatMap((part) => part.approvals);
  const cards = useRef(new Map<string, HTMLElement>());
  useInboxKeys(shown, cards.current, (approval, verdict) => setDeciding({ shown: approval, verdict }));
  return (
    <Page title="Approvals" lead={<Live live={live} ready={ready} />}>
      {problem && <ProblemNote problem={problem} />}
      {!ready && !problem && <Loading rows={4} label="Loading approvals" />}
      <Announce waiting={ready ? shown.filter((a) => a.canVote).length : undefined} />
      {ready && shown.length === 0 && (
        <Empty icon="approvals" title="Nothing waits for anybody">
          <p>Requests and held commands appear here as they are filed. What was decided before is on the other pages.</p>
          <LinkButton href="/requests">See requests</LinkButton>
        </Empty>
      )}
      {parts.map(({ name, approvals }) => (
        <section key={name} className="inbox-part" aria-label={name}>
          <p className="inbox-name" aria-hidden="true">{name} <span className="count" data-quiet="">{approvals.length}</span></p>
          {approvals.map((approval) => (
            <Card
              key={approvalID(approval)} approval={approval} ref={(card) => hold(cards.current, approvalID(approval), card)}
              onApprove={() => setDeciding({ shown: approval, verdict: "approve" })} onDeny={() => setDeciding({ shown: approval, verdict: "deny" })}
            />
          ))}
        </section>
      ))}
      {deciding && <Decide {...deciding} now={byID.get(approvalID(deciding.shown))} onClose={() => setDeciding(null)} />}
    </Page>
  );
}

function hold(cards: Map<string, HTMLElement>, id: string, card: HTMLElement | null) {
  if (card) cards.set(id, card);
  else cards.delete(id);
}

function useInboxKeys(shown: Approval[], cards: Map<string, HTMLElement>, decide: (approval: Approval, verdict: Verdict) => void) {
  const [, go] = useLocation();
  const focused = () => shown.findIndex((a) => cards.get(approvalID(a))?.contains(document.activeElement));
  const move = (step: number) => {
    const at = focused();
    const next = shown[at < 0 ? 0 : Math.min(Math.max(0, at + step), shown.length - 1)];
    const card = next && cards.get(approvalID(next));
    card?.focus();
    card?.scrollIntoView({ block: "nearest" });
  };
  const vote = (verdict: Verdict) => {
    const approval = shown[focused()];
    if (approval?.canVote && matter(approval)?.status.pending) decide(approval, verdict);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    a: (event) => (event.preventDefault(), vote("approve")),
    d: (event) => (event.preventDefault(), vote("deny")),
    o: () => {
      const approval = shown[focused()];
      if (approval) go(`/approvals/${approvalID(approval)}`);
    },
  });
}

function Live({ live, ready }: { live: boolean; ready: boolean }) {
  if (!ready && !live) return <span className="live" data-state="waiting">Connecting…</span>;
  return live ? <span className="live" data-state="on">Live</span> : <span className="live" data-state="off">Reconnecting… what is shown may be old</span>;
}

function Announce({ waiting }: { waiting?: number }) {
  return <p className="hidden" role="status" aria-live="polite">{waiting !== undefined && (waiting === 0 ? "Nothing waits for you" : `${count(waiting, "approval")} wait for you`)}</p>;
}
