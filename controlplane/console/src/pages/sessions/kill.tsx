import { useClients } from "../../api/clients";
import type { Session } from "../../gen/access/v1/sessions_pb";
import { Ask } from "../../ui/ask";
import { Said } from "../../ui/said";
import { Who } from "../../ui/who";

/** Kill ends a live session. The grant stays, so it also names what stops the next one. */
export function Kill({ session, onClose }: { session: Session; onClose: () => void }) {
  const { sessions } = useClients();
  return (
    <Ask
      title="Kill this session?" action="Kill" label="Why" hint="It is recorded, and the client is told." stale={[["sessions"], ["session", session.id]]} onClose={onClose}
      run={(reason) => sessions.killSession({ id: session.id, reason })} done={() => "The session is killed."}
    >
      <p><Who of={session.principal} /> is disconnected from <strong><Said text={session.resource} /></strong> now; what runs there is cancelled.</p>
      <p className="soft">It can connect again while its grant lasts. To stop that, revoke the grant or set a lock.</p>
    </Ask>
  );
}
