import type { Vote } from "../../gen/access/v1/common_pb";
import { requirement, type Matter } from "../../text/approval";
import { When } from "../../ui/now";
import { Badge } from "../../ui/parts";
import { Said } from "../../ui/said";

/** Votes shows whose approval it needs, and who has voted. */
export function Votes({ of }: { of: Matter }) {
  const needed = of.requirements.reduce((sum, r) => sum + r.count, 0);
  const given = of.votes.filter((v) => v.approve).length;
  if (needed === 0 && of.votes.length === 0) return null;
  return (
    <div className="votes" role="group" aria-label="Votes">
      {needed > 0 && (
        <p className="votes-need">
          <progress max={needed} value={Math.min(given, needed)} aria-label="Approvals given" />
          <span>{given} of {needed} approvals</span>
          <span className="faint">needs {of.requirements.map(requirement).join(" and ")}</span>
        </p>
      )}
      {of.votes.length > 0 && <ul>{of.votes.map((vote, i) => <li key={i}><Cast vote={vote} /></li>)}</ul>}
    </div>
  );
}

function Cast({ vote }: { vote: Vote }) {
  return (
    <>
      <Badge tone={vote.approve ? "good" : "bad"}>{vote.approve ? "approved" : "denied"}</Badge> <Said text={vote.voter} />{" "}
      <span className="faint"><When at={vote.at} /></span>
      {vote.comment && <span className="vote-comment">“<Said text={vote.comment} />”</span>}
    </>
  );
}
