import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { fromInput } from "../../text/time";

/** Filter is what is looked for in the records, as the address of the page has it. */
export interface Filter {
  principal: string;
  resource: string;
  session: string;
  kind: string;
  decision: string;
  policy: string;
  table: string;
  action: string;
  text: string;
  /** back is how far to look, such as "24h"; "custom" takes from and until. */
  back: string;
  from: string;
  until: string;
  /** reads is "show" to show calls that only read, too. */
  reads: string;
}

const hours: Record<string, number> = { "1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24 };

export const backs: [string, string][] = [["1h", "Last hour"], ["24h", "Last 24 hours"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["custom", "From … until …"]];

export function fromSearch(search: URLSearchParams): Filter {
  const get = (name: string) => search.get(name) ?? "";
  return {
    principal: get("principal"), resource: get("resource"), session: get("session"), kind: get("kind"), decision: get("decision"),
    policy: get("policy"), table: get("table"), action: get("action"), text: get("text"), back: get("back") || "24h", from: get("from"), until: get("until"), reads: get("reads"),
  };
}

/** toSearch leaves out what is not set. */
export function toSearch(filter: Filter): Record<string, string> {
  const custom = filter.back === "custom";
  const entries = Object.entries(filter).filter(([name, value]) => value !== "" && (custom || (name !== "from" && name !== "until")) && !(name === "back" && value === "24h"));
  return Object.fromEntries(entries);
}

/** message is the filter as the control plane takes it. A first page fixes the time, so that later pages go on from it. */
export function message({ principal, resource, session, kind, decision, policy, table, action, text, reads, ...time }: Filter, now: number) {
  return { principal, resource, session, kind, decision, policyId: policy, table, action, text, withoutReads: reads !== "show", ...bounds(time, now) };
}

function bounds({ back, from, until }: Pick<Filter, "back" | "from" | "until">, now: number) {
  const at = (date?: Date) => (date ? timestampFromMs(date.getTime()) : undefined);
  if (back === "custom") return { from: at(fromInput(from)), until: at(fromInput(until)) };
  return { from: timestampFromMs(now - (hours[back] ?? 24) * 3_600_000), until: timestampFromMs(now) };
}
