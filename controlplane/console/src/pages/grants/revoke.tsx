import { useClients } from "../../api/clients";
import type { Grant } from "../../gen/access/v1/requests_pb";
import { count } from "../../text/count";
import { Ask } from "../../ui/ask";
import { Said } from "../../ui/said";
import { Who } from "../../ui/who";
import { grantsKey } from "./key";

export function Revoke({ grant, onClose }: { grant: Grant; onClose: () => void }) {
  const { grants } = useClients();
  return (
    <Ask
      title="Revoke this grant?" action="Revoke" label="Why" hint="It is recorded, and the principal reads it." onClose={onClose} stale={[grantsKey, ["grant"], ["sessions"]]}
      run={(reason) => grants.revokeGrant({ id: grant.id, reason })} done={({ sessionsEnded }) => `Revoked. ${count(sessionsEnded, "session")} ended.`}
    >
      <p><Who of={grant.principal} /> loses access to <strong><Said text={grant.resource} /></strong>, and its sessions under this grant end now.</p>
    </Ask>
  );
}
