import type { Rec } from "./record";

/** Event is what happened at one moment: a record by itself, or a command with all that became of it. */
export interface Event {
  key: string;
  head: Rec;
  /** index of the head among the records. */
  index: number;
  rest: { rec: Rec; index: number }[];
}

/** events joins the records of one command, in the order of the commands' first records, without pieces of streams. */
export function events(records: readonly Rec[]): Event[] {
  const out: Event[] = [];
  const open = new Map<string, Event>();
  records.forEach((rec, index) => {
    const command = rec.command ? open.get(rec.command) : undefined;
    if (command && rec.kind === "stream") return;
    if (command) return void command.rest.push({ rec, index });
    const event: Event = { key: `${index}-${rec.id}`, head: rec, index, rest: [] };
    if (rec.command) open.set(rec.command, event);
    out.push(event);
  });
  return out;
}

/** until cuts events down to the first n records. */
export function until(all: readonly Event[], n: number): Event[] {
  return all.filter((event) => event.index < n).map((event) => (event.rest.at(-1)?.index ?? 0) < n ? event : { ...event, rest: event.rest.filter(({ index }) => index < n) });
}
