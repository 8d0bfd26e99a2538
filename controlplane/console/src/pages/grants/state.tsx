import type { Grant } from "../../gen/access/v1/requests_pb";
import { Countdown, toDate, useNow, When } from "../../ui/now";
import { Badge } from "../../ui/parts";
import { Said } from "../../ui/said";

/** GrantState says whether a grant can be used, how long still, and what became of broken glass. */
export function GrantState({ of }: { of: Grant }) {
  return (
    <div className="cell-lines">
      <span><Life of={of} /></span>
      {of.breakGlass && <span><Glass of={of} /></span>}
    </div>
  );
}

function Life({ of }: { of: Grant }) {
  const now = useNow();
  const starts = toDate(of.startsAt);
  const expires = toDate(of.expiresAt);
  if (of.revokedAt) return <><Badge tone="bad">Revoked</Badge> <When at={of.revokedAt} /> by <Said text={of.revokedBy} /></>;
  if (expires && expires.getTime() <= now) return <><Badge>Ended</Badge> <When at={expires} /></>;
  if (starts && starts.getTime() > now) return <><Badge tone="info">Begins later</Badge> <When at={starts} /></>;
  if (!of.active) return <Badge tone="warn">Not usable</Badge>;
  return <><Badge tone="good">Active</Badge> {expires && <Countdown until={expires} over="ended" />}</>;
}

function Glass({ of }: { of: Grant }) {
  if (!of.review) return <Badge tone="bad">Break-glass, not reviewed</Badge>;
  return <Badge tone={of.review.justified ? "good" : "bad"}>{of.review.justified ? "Break-glass, justified" : "Break-glass, not justified"}</Badge>;
}
