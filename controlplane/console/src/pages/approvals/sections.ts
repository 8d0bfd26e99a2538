import type { Approval } from "../../gen/access/v1/approvals_pb";
import { matter } from "../../text/approval";

export interface Section {
  name: string;
  approvals: Approval[];
}

/** sections orders the inbox: what the person can decide, soonest to expire first; what others decide; what is decided. */
export function sections(all: readonly Approval[]): Section[] {
  const pending = all.filter((a) => matter(a)?.status.pending);
  const decided = all.filter((a) => matter(a) && !matter(a)!.status.pending);
  const parts = [
    { name: "Waiting for you", approvals: by(pending.filter((a) => a.canVote), expiry) },
    { name: "Waiting for others", approvals: by(pending.filter((a) => !a.canVote), expiry) },
    { name: "Decided just now", approvals: by(decided, (a) => -(matter(a)!.decided?.getTime() ?? 0)).slice(0, 10) },
  ];
  return parts.filter(({ approvals }) => approvals.length > 0);
}

function expiry(approval: Approval): number {
  return matter(approval)!.expires?.getTime() ?? Number.MAX_SAFE_INTEGER;
}

function by(approvals: Approval[], rank: (approval: Approval) => number): Approval[] {
  return [...approvals].sort((a, b) => rank(a) - rank(b));
}
