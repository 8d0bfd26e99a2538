import { LockTarget } from "../../gen/access/v1/edges_pb";

export const targetNames: Record<LockTarget, string> = {
  [LockTarget.UNSPECIFIED]: "Unknown",
  [LockTarget.PRINCIPAL]: "Principal",
  [LockTarget.RESOURCE]: "Resource",
  [LockTarget.EDGE]: "Edge",
  [LockTarget.GRANT]: "Grant",
};
