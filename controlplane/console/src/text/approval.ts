import { timestampDate } from "@bufbuild/protobuf/wkt";
import { HoldState, type Approval, type HeldCommand } from "../gen/access/v1/approvals_pb";
import type { Intent, Principal, Requirement, Vote } from "../gen/access/v1/common_pb";
import { RequestState } from "../gen/access/v1/requests_pb";
import type { Tone } from "./tone";

/** Matter is what an approval is about, whichever of the two kinds it is. */
export interface Matter {
  id: string;
  kind: "request" | "command";
  principal?: Principal;
  resource: string;
  digest: string;
  reason: string;
  /** heldBecause is the reason of the policy that held a command. */
  heldBecause: string;
  ticket: string;
  intent?: Intent;
  policyIds: string[];
  revision: bigint;
  requirements: Requirement[];
  votes: Vote[];
  created?: Date;
  expires?: Date;
  decided?: Date;
  status: Status;
}

export interface Status {
  label: string;
  tone: Tone;
  pending: boolean;
}

const requestStatus: Record<RequestState, Status> = {
  [RequestState.UNSPECIFIED]: { label: "Unknown", tone: "neutral", pending: false },
  [RequestState.PENDING]: { label: "Waiting", tone: "warn", pending: true },
  [RequestState.GRANTED]: { label: "Granted", tone: "good", pending: false },
  [RequestState.DENIED]: { label: "Denied", tone: "bad", pending: false },
  [RequestState.WITHDRAWN]: { label: "Withdrawn", tone: "neutral", pending: false },
  [RequestState.EXPIRED]: { label: "Expired", tone: "neutral", pending: false },
};

const holdStatus: Record<HoldState, Status> = {
  [HoldState.UNSPECIFIED]: { label: "Unknown", tone: "neutral", pending: false },
  [HoldState.PENDING]: { label: "Waiting", tone: "warn", pending: true },
  [HoldState.APPROVED]: { label: "Approved", tone: "good", pending: false },
  [HoldState.SPENT]: { label: "Approved and run", tone: "good", pending: false },
  [HoldState.DENIED]: { label: "Denied", tone: "bad", pending: false },
  [HoldState.WITHDRAWN]: { label: "Withdrawn", tone: "neutral", pending: false },
  [HoldState.EXPIRED]: { label: "Expired", tone: "neutral", pending: false },
};

/** statusOfRequest names the state of an access request. */
export function statusOfRequest(state: RequestState): Status {
  return requestStatus[state] ?? requestStatus[RequestState.UNSPECIFIED];
}

/** matter returns what the approval is about; undefined when it is of a kind that this console does not know. */
export function matter({ subject }: Approval): Matter | undefined {
  const date = (at?: Parameters<typeof timestampDate>[0]) => (at ? timestampDate(at) : undefined);
  if (subject.case === undefined) return undefined;
  const { value } = subject;
  const common = {
    ...pick(value),
    created: date(value.createdAt),
    expires: date(value.expiresAt),
    decided: date(value.decidedAt),
  };
  return subject.case === "request"
    ? { ...common, kind: "request", reason: subject.value.reason, heldBecause: "", status: statusOfRequest(subject.value.state) }
    : { ...common, kind: "command", ...heldFacts(subject.value) };
}

function heldFacts({ requestReason, reason, state }: HeldCommand) {
  return { reason: requestReason, heldBecause: reason, status: holdStatus[state] ?? holdStatus[HoldState.UNSPECIFIED] };
}

type Subject = NonNullable<Approval["subject"]["value"]>;

function pick(value: Subject) {
  const { id, principal, resource, digest, ticket, intent, policyIds, revision, requirements, votes } = value;
  return { id, principal, resource, digest, ticket, intent, policyIds, revision, requirements, votes };
}

export function approvalID({ subject }: Approval): string {
  return subject.value?.id ?? "";
}

export function isPending(approval: Approval): boolean {
  return matter(approval)?.status.pending ?? false;
}

/** requirement says what is asked for, for example "2 of dba". */
export function requirement({ count, group, hours }: Requirement): string {
  return `${count} of ${group}${hours ? `, ${hours}` : ""}`;
}
