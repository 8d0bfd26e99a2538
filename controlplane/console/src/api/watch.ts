import type { Approval, WatchApprovalsResponse } from "../gen/access/v1/approvals_pb";
import { approvalID, isPending } from "../text/approval";
import { problem, type Problem } from "./problem";

/** Inbox is what is known of the approvals that concern the caller. */
export interface Inbox {
  /** byID is in the order of arrival. */
  byID: ReadonlyMap<string, Approval>;
  /** ready is set once all that waits has arrived. */
  ready: boolean;
  /** live says whether changes arrive now. */
  live: boolean;
  problem?: Problem;
}

type Stream = (signal: AbortSignal) => AsyncIterable<WatchApprovalsResponse>;

export interface WatchOptions {
  /** stream begins to watch; it is called again after each end. */
  stream: Stream;
  /** wait resolves after so many milliseconds, or at once when the signal is aborted. */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const firstPause = 500;
const longestPause = 15_000;

/** Watch follows the approvals and reconnects, until it is stopped. Its state is for useSyncExternalStore. */
export class Watch {
  private inbox: Inbox = { byID: new Map(), ready: false, live: false };
  private readonly listeners = new Set<() => void>();
  private readonly stop = new AbortController();
  private readonly options: Required<WatchOptions>;

  constructor(options: WatchOptions) {
    this.options = { wait: pause, ...options };
  }

  readonly snapshot = (): Inbox => this.inbox;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** put takes an approval that came as the answer of a call. */
  put(approval: Approval) {
    this.change({ byID: new Map(this.inbox.byID).set(approvalID(approval), approval) });
  }

  close() {
    this.stop.abort();
  }

  /** run watches until close. A stream that ends is begun again, with growing pauses while it fails. */
  async run(): Promise<void> {
    const { signal } = this.stop;
    for (let wait = firstPause; !signal.aborted; ) {
      const failed = await this.follow(signal);
      if (signal.aborted) return;
      wait = failed ? Math.min(wait * 2, longestPause) : firstPause;
      await this.options.wait(wait, signal);
    }
  }

  /** follow reads one stream to its end, and says whether it ended without having said anything. */
  private async follow(signal: AbortSignal): Promise<boolean> {
    let fresh = new Map<string, Approval>();
    let complete = false;
    try {
      for await (const { approvals, complete: all } of this.options.stream(signal)) {
        if (!complete) {
          for (const approval of approvals) fresh.set(approvalID(approval), approval);
          complete = all;
          if (complete) this.change({ byID: merge(this.inbox.byID, fresh), ready: true, live: true, problem: undefined });
          continue;
        }
        fresh = new Map(this.inbox.byID);
        for (const approval of approvals) fresh.set(approvalID(approval), approval);
        this.change({ byID: fresh });
      }
      if (!signal.aborted) this.change({ live: false });
    } catch (thrown) {
      if (!signal.aborted) this.change({ live: false, problem: problem(thrown) });
    }
    return !complete;
  }

  private change(part: Partial<Inbox>) {
    this.inbox = { ...this.inbox, ...part };
    for (const listener of this.listeners) listener();
  }
}

/** merge takes what a new stream says as all that waits. What was decided before stays, for the eye. */
function merge(before: ReadonlyMap<string, Approval>, fresh: ReadonlyMap<string, Approval>): Map<string, Approval> {
  const all = new Map(fresh);
  for (const [id, approval] of before) if (!all.has(id) && !isPending(approval)) all.set(id, approval);
  return all;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
