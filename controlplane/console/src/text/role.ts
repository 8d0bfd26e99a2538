import type { RoleAnalysis, RoleStatement } from "../gen/access/v1/resources_pb";
import type { Tone } from "./tone";

/** verdictOf says in a few words how privileged a role is. A role of which nothing is known counts as privileged. */
export function verdictOf({ known, privileged, problem, actionCount }: RoleAnalysis): { text: string; tone: Tone } {
  if (!known) return { text: `counts as privileged: ${problem}`, tone: "bad" };
  if (!privileged) return { text: "not privileged", tone: "good" };
  return { text: actionCount === 1 ? "1 privileged action" : `${actionCount} privileged actions`, tone: "warn" };
}

/** titleOf names a statement and what it is about, for example "attached AmazonRDSFullAccess v14, statement 0 (Deploy), under conditions". */
export function titleOf({ use, policy, policyArn, version, index, sid, conditional, allResources }: RoleStatement): string {
  const document = [use, policyArn || policy, version].filter(Boolean).join(" ");
  return [document, `statement ${index}${sid && ` (${sid})`}`, conditional && "under conditions", allResources ? "on all resources" : "on some resources"].filter(Boolean).join(", ");
}
