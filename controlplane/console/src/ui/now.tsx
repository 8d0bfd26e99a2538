import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";
import { useSyncExternalStore } from "react";
import { ago, brief, clock, stamp } from "../text/time";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let seconds = Math.floor(Date.now() / 1000);

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    seconds = Math.floor(Date.now() / 1000);
    for (const tell of listeners) tell();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) timer = void clearInterval(timer);
  };
}

/** useNow is the time, to the second; what uses it is drawn again as it passes. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => seconds) * 1000;
}

type At = Timestamp | Date | undefined;

export function toDate(at: At): Date | undefined {
  return at === undefined || at instanceof Date ? at : timestampDate(at);
}

/** When is a time as people say it, with the whole of it in its title. */
export function When({ at, none = "" }: { at: At; none?: string }) {
  const now = useNow();
  const date = toDate(at);
  if (!date) return <>{none}</>;
  return <time dateTime={date.toISOString()} title={stamp(date)}>{ago(date, now)}</time>;
}

/** Moment is a time to the second. */
export function Moment({ at }: { at: At }) {
  const date = toDate(at);
  return date ? <time dateTime={date.toISOString()} title={stamp(date)}>{brief(date)}</time> : null;
}

const urgent = 60_000;

/** Countdown shows how long something is still possible. */
export function Countdown({ until, over = "expired" }: { until: Date; over?: string }) {
  const left = until.getTime() - useNow();
  return (
    <time className="countdown" dateTime={until.toISOString()} title={stamp(until)} data-urgent={left < urgent || undefined}>
      {left <= 0 ? over : `${clock(left)} left`}
    </time>
  );
}
