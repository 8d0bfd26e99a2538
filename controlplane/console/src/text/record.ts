import { bytes } from "./count";
import type { Tone } from "./tone";

/** Value is a field of a row or a parameter, as pkg/audit writes it: null, text, or bytes that are not text. */
export type Value = null | string | { base64: string };

/** Rec is one audit record in the JSON form of pkg/audit, of which this is what is shown. */
export interface Rec {
  id: string;
  seq: number;
  time: number;
  kind: string;
  edge: string;
  session: string;
  principal: string;
  resource: string;
  clientAddr: string;
  application: string;
  command: string;
  statement: string;
  params: Value[];
  decision: string;
  policyIds: string[];
  revision: number;
  reason: string;
  requestId: string;
  holdId: string;
  actions: string[];
  maskedColumns: string[];
  rowCount: number;
  bytes: number;
  duration: string;
  commandTag: string;
  errorCode: string;
  errorMessage: string;
  columns: string[];
  rows: Value[][];
  attrs: { name: string; value: string }[];
  trimmed: boolean;
}

/** parseRecord reads a record; undefined when it is not of the known form. */
export function parseRecord(json: string): Rec | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof raw !== "object" || raw === null) return undefined;
  const from = new Reader(raw as Record<string, unknown>);
  const kind = from.text("kind");
  if (kind === "") return undefined;
  return {
    kind, id: from.text("id"), seq: from.number("seq"), time: Date.parse(from.text("time")) || 0, edge: from.text("edge"),
    session: from.text("session"), principal: from.text("principal"), resource: from.text("resource"),
    clientAddr: from.text("client_addr"), application: from.text("application"), command: from.text("command"),
    statement: from.text("statement"), params: from.values("params"), decision: from.text("decision"),
    policyIds: from.texts("policy_ids"), revision: from.number("revision"), reason: from.text("reason"),
    requestId: from.text("request_id"), holdId: from.text("hold_id"), actions: from.texts("actions"),
    maskedColumns: from.texts("masked_columns"), rowCount: from.number("row_count"), bytes: from.number("bytes"),
    duration: from.text("duration"), commandTag: from.text("command_tag"), errorCode: from.text("error_code"),
    errorMessage: from.text("error_message"), columns: from.texts("columns"), rows: from.list("rows").map(values),
    attrs: from.list("attrs").flatMap(attr), trimmed: from.raw.trimmed === true,
  };
}

class Reader {
  constructor(readonly raw: Record<string, unknown>) {}

  text(name: string): string {
    const value = this.raw[name];
    return typeof value === "string" ? value : "";
  }

  number(name: string): number {
    const value = this.raw[name];
    return typeof value === "number" ? value : 0;
  }

  list(name: string): unknown[] {
    const value = this.raw[name];
    return Array.isArray(value) ? value : [];
  }

  texts(name: string): string[] {
    return this.list(name).filter((value) => typeof value === "string");
  }

  values(name: string): Value[] {
    return values(this.raw[name]);
  }
}

function values(raw: unknown): Value[] {
  return Array.isArray(raw) ? raw.map(value) : [];
}

function value(raw: unknown): Value {
  if (raw === null || typeof raw === "string") return raw;
  const base64 = (raw as { base64?: unknown }).base64;
  return typeof base64 === "string" ? { base64 } : JSON.stringify(raw);
}

function attr(raw: unknown): { name: string; value: string }[] {
  const { name, value } = (raw ?? {}) as { name?: unknown; value?: unknown };
  return typeof name === "string" && typeof value === "string" ? [{ name, value }] : [];
}

/** shownValue is a value in words. */
export function shownValue(value: Value): string {
  if (value === null) return "NULL";
  return typeof value === "string" ? value : `base64:${value.base64}`;
}

const names: Record<string, string> = {
  session_open: "Session opened", session_close: "Session closed", command: "Allowed", refusal: "Denied", hold: "Held",
  hold_decided: "Hold decided", outcome: "Done", rows: "Rows", notice: "Notice", lock: "Lock", edge: "Edge", admin: "Call",
  request: "Request", request_decided: "Request decided", grant: "Grant", credential: "Credential", policy: "Policy", login: "Sign-in", undo: "Undo", stream: "Stream",
};

export const kinds = Object.keys(names);

/** nameOf says what kind of event a record is. */
export function nameOf({ kind, errorCode }: Pick<Rec, "kind" | "errorCode">): string {
  if (kind === "outcome" && errorCode) return "Failed";
  return names[kind] ?? kind.replaceAll("_", " ");
}

/** toneOf is the colour of that name. */
export function toneOf({ kind, decision, errorCode }: Pick<Rec, "kind" | "decision" | "errorCode">): Tone {
  if (decision === "deny" || kind === "refusal" || errorCode) return "bad";
  if (kind === "hold") return "warn";
  if (kind === "command" || (kind === "hold_decided" && decision === "allow")) return "good";
  return kind === "notice" || kind === "lock" ? "info" : "neutral";
}

/** summary is one line on a record. */
export function summary(r: Rec): string {
  const because = r.reason && `because ${r.reason}`;
  if (r.attrs.some((a) => a.name === "method")) return call(r, because);
  switch (r.kind) {
    case "session_open":
      return join("on", r.resource, "through", r.edge, "from", r.clientAddr, "with", r.application);
    case "outcome":
      return r.errorCode ? join(r.errorCode, r.errorMessage) : join(r.commandTag, r.duration && `in ${rounded(r.duration)}`);
    case "rows":
      return join(`${r.rows.length} recorded`, r.maskedColumns.length > 0 ? `masked ${r.maskedColumns.join(", ")}` : "");
    case "command":
    case "refusal":
    case "hold":
      return join(r.policyIds.length > 0 && `by ${r.policyIds.join(", ")}`, r.revision > 0 && `at revision ${r.revision}`, because);
    case "notice":
      return join(r.reason, r.errorMessage);
    case "stream":
      return join(r.attrs.find((a) => a.name === "stream")?.value ?? "", bytes(r.bytes));
  }
  return join(r.decision, r.attrs.map((a) => `${a.name}=${a.value}`).join(" "), because);
}

/** rounded shortens a duration as Go writes it to three figures, for example "3.34 ms". */
function rounded(duration: string): string {
  const [, n, unit] = /^(\d+(?:\.\d+)?)(ns|µs|ms|s)$/.exec(duration) ?? [];
  return n && unit ? `${Number(Number(n).toPrecision(3))} ${unit}` : duration;
}

/** call names the called method, then what was recorded of the call. */
function call(r: Rec, because: string): string {
  const method = r.attrs.find((a) => a.name === "method")?.value ?? "";
  const rest = r.attrs.filter((a) => a.name !== "method" && a.name !== "phase" && a.value !== "");
  return join(method.replace(/^.*\.v1\.|^.*\//, "").replace("/", "."), rest.map((a) => `${a.name}=${a.value}`).join(" "), r.decision === "deny" && "denied", because);
}

function join(...parts: (string | false | 0)[]): string {
  const out: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    // A preposition without what it introduces is left out.
    if (/^(on|through|from|with)$/.test(String(parts[i])) && !parts[i + 1]) i++;
    else if (parts[i]) out.push(String(parts[i]));
  }
  return out.join(" ");
}
