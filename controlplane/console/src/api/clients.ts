import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { createContext, useContext } from "react";
import { ApprovalService } from "../gen/access/v1/approvals_pb";
import { EdgeService, LockService } from "../gen/access/v1/edges_pb";
import { IdentityService, PrincipalService } from "../gen/access/v1/identity_pb";
import { NotificationService } from "../gen/access/v1/notifications_pb";
import { PolicyService } from "../gen/access/v1/policies_pb";
import { GrantService, RequestService } from "../gen/access/v1/requests_pb";
import { ResourceService } from "../gen/access/v1/resources_pb";
import { AuditService, SessionService } from "../gen/access/v1/sessions_pb";

/** clients makes one typed client for each service of access.v1. */
export function clients(transport: Transport) {
  return {
    approvals: createClient(ApprovalService, transport),
    audit: createClient(AuditService, transport),
    edges: createClient(EdgeService, transport),
    grants: createClient(GrantService, transport),
    identity: createClient(IdentityService, transport),
    locks: createClient(LockService, transport),
    notifications: createClient(NotificationService, transport),
    policies: createClient(PolicyService, transport),
    principals: createClient(PrincipalService, transport),
    requests: createClient(RequestService, transport),
    resources: createClient(ResourceService, transport),
    sessions: createClient(SessionService, transport),
  };
}

export type Clients = ReturnType<typeof clients>;
export type ApprovalClient = Client<typeof ApprovalService>;

export const ClientsContext = createContext<Clients | null>(null);

/** useClients returns the clients of the page's control plane. */
export function useClients(): Clients {
  const found = useContext(ClientsContext);
  if (!found) throw new Error("no clients above this component");
  return found;
}
