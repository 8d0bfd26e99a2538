import { createContext, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import { useClients } from "./api/clients";
import { Watch, type Inbox } from "./api/watch";
import { approvalID } from "./text/approval";
import type { Approval } from "./gen/access/v1/approvals_pb";

const WatchContext = createContext<Watch | null>(null);

/** WatchInbox follows the approvals for as long as somebody is signed in. */
export function WatchInbox({ children }: { children: ReactNode }) {
  const { approvals } = useClients();
  const [watch, setWatch] = useState<Watch | null>(null);
  useEffect(() => {
    const made = new Watch({ stream: (signal) => approvals.watchApprovals({}, { signal, timeoutMs: 0 }) });
    void made.run();
    setWatch(made);
    return () => made.close();
  }, [approvals]);
  return watch && <WatchContext value={watch}>{children}</WatchContext>;
}

function useWatch(): Watch {
  const watch = useContext(WatchContext);
  if (!watch) throw new Error("no watch above this component");
  return watch;
}

export function useInbox(): Inbox {
  const watch = useWatch();
  return useSyncExternalStore(watch.subscribe, watch.snapshot);
}

/** usePut takes an approval that a call answered with into the inbox, ahead of the stream. */
export function usePut(): (approval: Approval | undefined) => void {
  const watch = useWatch();
  return (approval) => {
    if (approval && approvalID(approval)) watch.put(approval);
  };
}
