import { useId, type Ref } from "react";
import { Link } from "wouter";
import type { Approval, HeldCommand } from "../../gen/access/v1/approvals_pb";
import type { AccessRequest } from "../../gen/access/v1/requests_pb";
import { matter, type Matter } from "../../text/approval";
import { spanOf } from "../../text/spans";
import { Icon } from "../../ui/icons";
import { Countdown, Moment, When } from "../../ui/now";
import { Badge, Button, Facts, Tags } from "../../ui/parts";
import { Said, Statement } from "../../ui/said";
import { Who } from "../../ui/who";
import { Effect } from "./effect";
import { IntentFacts } from "./intent";
import { Votes } from "./votes";

interface Props {
  approval: Approval;
  ref?: Ref<HTMLElement>;
  /** alone is the card on its own page: everything is shown, and the heading is the page's. */
  alone?: boolean;
  onApprove: () => void;
  onDeny: () => void;
}

/** Card shows all that an approver judges: who asks and for whom, what exactly, why, and what it would do. */
export function Card({ approval, ref, alone, onApprove, onDeny }: Props) {
  const heading = useId();
  const about = matter(approval);
  if (!about) return null;
  return (
    <article ref={ref} className="approval" tabIndex={alone ? undefined : -1} aria-labelledby={heading} data-pending={about.status.pending || undefined}>
      <header className="approval-head">
        <div>
          <h2 id={heading}>
            <Who of={about.principal} /> {about.kind === "command" ? "wants to run a command on" : "asks for access to"}{" "}
            <span className="resource"><Said text={about.resource} /></span>
          </h2>
          <p className="approval-sub">
            <Badge tone={about.status.tone}>{about.status.label}</Badge>
            <span>asked <When at={about.created} /></span>
            {about.status.pending && about.expires && <span><Icon name="clock" /> <Countdown until={about.expires} /></span>}
            {!about.status.pending && about.decided && <span>decided <When at={about.decided} /></span>}
            {!alone && <Link href={`/approvals/${about.id}`}>Open<span className="hidden"> {about.id}</span></Link>}
          </p>
        </div>
      </header>
      {approval.subject.case === "command" && <Command of={approval.subject.value} />}
      {approval.subject.case === "request" && <Request of={approval.subject.value} />}
      <Why of={about} />
      <Votes of={about} />
      {about.status.pending && <Buttons {...{ approval, onApprove, onDeny }} />}
    </article>
  );
}

function Command({ of }: { of: HeldCommand }) {
  return (
    <>
      <Statement text={of.statement} flags={of.flags} label="Statement to run" />
      {of.params.length > 0 && (
        <Facts of={of.params.map((value, i) => [`$${i + 1}`, <code key={i}><Said text={value} /></code>])} />
      )}
      <Effect of={of.preview} />
      <Facts
        of={[
          ["Actions", of.actions.length > 0 && <Tags of={of.actions} />],
          ["Tables", of.tables.length > 0 && <Tags of={of.tables} />],
          ["Session", of.session && <Link href={`/sessions/${of.session}`}><code>{of.session}</code></Link>],
          ["Edge", of.edge && <bdi>{of.edge}</bdi>],
          ["Ran", of.spentAt && <When at={of.spentAt} />],
        ]}
      />
    </>
  );
}

function Request({ of }: { of: AccessRequest }) {
  return (
    <>
      {of.breakGlass && <p className="glass"><Icon name="flame" /> Break-glass: granted without approvers, to be reviewed afterwards</p>}
      <Facts
        of={[
          ["Actions", <Tags of={of.actions} none="whatever policy permits" />],
          ["For", of.duration && spanOf(of.duration)],
          ["From", of.startAt && <Moment at={of.startAt} />],
          ["Lengthens", of.extends && <Link href={`/grants/${of.extends}`}><code>{of.extends}</code></Link>],
          ["Grant", of.grant && <Link href={`/grants/${of.grant}`}><code>{of.grant}</code></Link>],
          ["Denied because", of.denial && <Said text={of.denial} />],
        ]}
      />
    </>
  );
}

function Why({ of }: { of: Matter }) {
  return (
    <section className="why" aria-label="Why">
      <Facts
        of={[
          ["Reason given", of.reason ? <Said className="quote" text={of.reason} /> : <span className="faint">none</span>],
          ["Ticket", of.ticket && <Said text={of.ticket} />],
          ["Held by", of.policyIds.length > 0 && <Held of={of} />],
        ]}
      />
      {of.intent && <IntentFacts of={of.intent} />}
    </section>
  );
}

function Held({ of }: { of: Matter }) {
  return (
    <>
      {of.heldBecause && <><Said text={of.heldBecause} /> </>}
      <span className="policy-ids">
        {of.policyIds.map((id) => <code key={id}>{id}</code>)} <span className="faint">revision {String(of.revision)}</span>
      </span>
    </>
  );
}

function Buttons({ approval, onApprove, onDeny }: Pick<Props, "approval" | "onApprove" | "onDeny">) {
  if (!approval.canVote) {
    return approval.cannotVoteBecause ? <p className="cannot"><Icon name="help" /> You cannot decide this: <Said text={approval.cannotVoteBecause} /></p> : null;
  }
  return (
    <footer className="approval-foot">
      <Button look="primary" icon="check" onClick={onApprove}>Approve…</Button>
      <Button look="danger" icon="close" onClick={onDeny}>Deny…</Button>
    </footer>
  );
}
