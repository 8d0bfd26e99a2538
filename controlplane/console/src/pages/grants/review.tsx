import { useState } from "react";
import { Link } from "wouter";
import { useClients } from "../../api/clients";
import type { Grant } from "../../gen/access/v1/requests_pb";
import { Ask } from "../../ui/ask";
import { Choice } from "../../ui/field";
import { Facts } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Who } from "../../ui/who";
import { grantsKey } from "./key";

/** Review notes whether breaking the glass was right. */
export function Review({ grant, onClose }: { grant: Grant; onClose: () => void }) {
  const { grants } = useClients();
  const [verdict, setVerdict] = useState<"yes" | "no">("yes");
  const sessions = `/sessions?${new URLSearchParams({ show: "all", principal: grant.principal?.name ?? "", resource: grant.resource })}`;
  return (
    <Ask
      title="Was breaking the glass right?" action="Keep the review" label="Comment" danger={false} required onClose={onClose} stale={[grantsKey, ["grant"]]}
      run={(comment) => grants.reviewGrant({ id: grant.id, justified: verdict === "yes", comment })} done={() => "The review is kept."}
    >
      <Facts of={[["Principal", <Who of={grant.principal} />], ["Resource", <Said text={grant.resource} />], ["Reason given", <Said text={grant.reason || "none"} />], ["What it did", <Link href={sessions}>its sessions</Link>]]} />
      <Choice label="Verdict" value={verdict} options={[["yes", "Justified"], ["no", "Not justified"]]} onChange={setVerdict} />
    </Ask>
  );
}
