import { useId, type ReactNode, type Ref } from "react";
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
import { AskedRole } from "./role";
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
      <Reason of={about} />
      {approval.subject.case === "command" && <Command of={approval.subject.value} />}
      {approval.subject.case === "request" && approval.subject.value.breakGlass && <Glass />}
      {approval.subject.case === "request" && approval.subject.value.role && <AskedRole of={approval.subject.value.role} request={about.id} />}
      <Facts wide of={[...factsOf(approval), ...(about.policyIds.length > 0 ? [["Held by", <Held of={about} />] as Fact] : [])]} />
      {about.intent && <IntentFacts of={about.intent} />}
      <Votes of={about} />
      {about.status.pending && <Buttons {...{ approval, onApprove, onDeny }} />}
    </article>
  );
}

function Reason({ of }: { of: Matter }) {
  return (
    <p className="reason">
      {of.reason ? <>“<Said text={of.reason} />”</> : <span className="faint">No reason was given.</span>}
      {of.ticket && <span className="ticket"><Said text={of.ticket} /></span>}
    </p>
  );
}

function Command({ of }: { of: HeldCommand }) {
  return (
    <>
      <Statement text={of.statement} flags={of.flags.filter((f) => f.param === 0)} label="Statement to run" />
      {of.params.length > 0 && <Params of={of} />}
      <Effect of={of.preview} />
    </>
  );
}

/**
 * Params are the values for $1, $2 and so on of SQL, and the lines of a request that is none; one that may deceive the eye, or has several lines, is
 * shown as a statement is.
 */
function Params({ of }: { of: HeldCommand }) {
  const numbered = of.actions.some((a) => a.startsWith("sql:"));
  const shown = of.params.map((value, i): Fact => {
    const flags = of.flags.filter((f) => f.param === i + 1);
    return [numbered ? `$${i + 1}` : `${i + 1}`, flags.length > 0 || value.includes("\n") ? <Statement text={value} flags={flags} label={`Parameter ${i + 1}`} /> : <code><Said text={value} /></code>];
  });
  return <Facts of={shown} />;
}

function Glass() {
  return <p className="glass"><Icon name="flame" /> Break-glass: granted without approvers, to be reviewed afterwards</p>;
}

type Fact = [string, ReactNode];

function factsOf({ subject }: Approval): Fact[] {
  switch (subject.case) {
    case "command":
      return factsOfCommand(subject.value);
    case "request":
      return factsOfRequest(subject.value);
  }
  return [];
}

function factsOfCommand(of: HeldCommand): Fact[] {
  return [
    ["Actions", of.actions.length > 0 && <Tags of={of.actions} />],
    ["Tables", of.tables.length > 0 && <Tags of={of.tables} />],
    ["Session", of.session && <Link href={`/sessions/${of.session}`}><code>{of.session}</code></Link>],
    ["Edge", of.edge && <bdi>{of.edge}</bdi>],
    ["Ran", of.spentAt && <When at={of.spentAt} />],
  ];
}

function factsOfRequest(of: AccessRequest): Fact[] {
  return [
    ["Actions", <Tags of={of.actions} none="whatever policy permits" />],
    ["For", of.duration && spanOf(of.duration)],
    ["From", of.startAt && <Moment at={of.startAt} />],
    ["Lengthens", of.extends && <Link href={`/grants/${of.extends}`}><code>{of.extends}</code></Link>],
    ["Grant", of.grant && <Link href={`/grants/${of.grant}`}><code>{of.grant}</code></Link>],
    ["Denied because", of.denial && <Said text={of.denial} />],
  ];
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
