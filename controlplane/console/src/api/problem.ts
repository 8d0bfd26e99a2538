import { Code, ConnectError } from "@connectrpc/connect";
import { RefusalSchema, type Refusal } from "../gen/access/v1/common_pb";

/** Problem is an error for people: what happened, in the words of who refused, and what to do next. */
export interface Problem {
  title: string;
  detail: string;
  next: string;
  code: Code;
  /** refusal is set where policy refused an access request. */
  refusal?: Refusal;
}

type Advice = { title: string; next: string };

const unknown: Advice = { title: "Something went wrong", next: "Try again. If it stays so, the control plane's log says more." };

const advice: Partial<Record<Code, Advice>> = {
  [Code.Unauthenticated]: { title: "Not signed in", next: "Sign in again; your login may have expired." },
  [Code.PermissionDenied]: { title: "Not allowed", next: "Ask an administrator for the role it needs, or sign in as somebody who has it." },
  [Code.NotFound]: { title: "Not found", next: "Check the name, or go back to the list: it may have been removed." },
  [Code.InvalidArgument]: { title: "Not accepted", next: "Correct what the message names, then try again." },
  [Code.FailedPrecondition]: { title: "No longer possible", next: "It has changed since it was shown. Look at it again before you decide." },
  [Code.Aborted]: { title: "Changed in the meantime", next: "Load the newest state, then try again." },
  [Code.AlreadyExists]: { title: "Already done", next: "Nothing is left to do; load the page again to see it." },
  [Code.ResourceExhausted]: { title: "Too much at once", next: "Wait a minute, then try again." },
  [Code.Unavailable]: { title: "Not available now", next: "Try again in a moment. If it stays so, check your connection, then the control plane." },
  [Code.DeadlineExceeded]: { title: "It took too long", next: "Try again, or ask for less, such as a shorter time." },
  [Code.Unimplemented]: { title: "Not offered here", next: "This control plane is of another version than the console. Bring both to the same one." },
  [Code.DataLoss]: { title: "A record is damaged", next: "Do not rely on it. Tell who runs the control plane." },
  [Code.Canceled]: { title: "Cancelled", next: "Try again." },
};

/** problem turns whatever was thrown into a Problem. */
export function problem(thrown: unknown): Problem {
  const error = ConnectError.from(thrown);
  const [refusal] = error.findDetails(RefusalSchema);
  const { title, next } = refusal ? refused(refusal) : (advice[error.code] ?? unknown);
  return { title, next, code: error.code, detail: sentence(error.rawMessage), refusal };
}

function refused({ repair }: Refusal): Advice {
  const next = repair ? "Ask for what would be permitted instead." : "Nothing like it is permitted. Ask who writes the policy.";
  return { title: "Refused by policy", next };
}

/** isSignedOut says whether the call failed for want of a login. */
export function isSignedOut(thrown: unknown): boolean {
  return thrown instanceof ConnectError && thrown.code === Code.Unauthenticated;
}

/** isPassing says whether the same call may well succeed in a moment. */
export function isPassing(thrown: unknown): boolean {
  return thrown instanceof ConnectError && (thrown.code === Code.Unavailable || thrown.code === Code.DeadlineExceeded);
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(first) ? first : first + ".";
}
