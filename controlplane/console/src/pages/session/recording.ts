import { useEffect, useState } from "react";
import { useClients } from "../../api/clients";
import { parseRecord, type Rec } from "../../text/record";

/** Recording is as much of a session's records as has arrived. */
export interface Recording {
  records: readonly Rec[];
  /** unreadable counts records of a form that this console does not know. */
  unreadable: number;
  state: "loading" | "following" | "complete" | "failed";
  error?: unknown;
}

const nothing: Recording = { records: [], unreadable: 0, state: "loading" };

/** flushEvery bounds how often arriving records are drawn, in milliseconds. */
const flushEvery = 100;

/** useRecording streams the records of a session, and follows it while it lives. */
export function useRecording(id: string, live: boolean | undefined): Recording & { again: () => void } {
  const { sessions } = useClients();
  const [recording, setRecording] = useState(nothing);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (live === undefined) return;
    const stop = new AbortController();
    const got = new Gathered(live ? "following" : "loading");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = () => {
      timer = undefined;
      if (!stop.signal.aborted) setRecording(got.snapshot());
    };
    const read = async () => {
      try {
        for await (const { record } of sessions.replaySession({ id, follow: live }, { signal: stop.signal, timeoutMs: 0 })) {
          if (record) got.add(record.json);
          timer ??= setTimeout(show, flushEvery);
        }
        got.state = "complete";
      } catch (error) {
        got.fail(error);
      }
      clearTimeout(timer);
      show();
    };
    void read();
    return () => stop.abort();
    // A session that ends while it is followed is not asked for again: its stream says so by ending.
  }, [id, live === undefined, attempt, sessions]);
  return { ...recording, again: () => setAttempt((n) => n + 1) };
}

class Gathered {
  private readonly records: Rec[] = [];
  private unreadable = 0;
  private error?: unknown;

  constructor(public state: Recording["state"]) {}

  add(json: string) {
    const rec = parseRecord(json);
    if (rec) this.records.push(rec);
    else this.unreadable++;
  }

  fail(error: unknown) {
    this.state = "failed";
    this.error = error;
  }

  snapshot(): Recording {
    return { records: [...this.records], unreadable: this.unreadable, state: this.state, error: this.error };
  }
}
