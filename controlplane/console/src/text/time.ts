const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** ago says how far back or ahead a time is, for example "5 min ago" or "in 2 h". */
export function ago(at: Date, now: number): string {
  const ms = at.getTime() - now;
  if (Math.abs(ms) < 5 * second) return "just now";
  const span = coarse(Math.abs(ms));
  return ms < 0 ? `${span} ago` : `in ${span}`;
}

/** coarse gives a span in its largest unit. */
export function coarse(ms: number): string {
  if (ms < minute) return `${Math.floor(ms / second)} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} min`;
  if (ms < 2 * day) return `${Math.floor(ms / hour)} h`;
  return `${Math.floor(ms / day)} d`;
}

/** span gives a span in its two largest units, for example "1 h 30 min". Zero units are left out. */
export function span(ms: number): string {
  const units: [number, string][] = [[day, "d"], [hour, "h"], [minute, "min"], [second, "s"]];
  const parts: string[] = [];
  let left = Math.max(0, ms);
  for (const [size, name] of units) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n > 0) parts.push(`${n} ${name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length > 0 ? parts.join(" ") : ms > 0 && ms < second ? `${Math.round(ms)} ms` : "0 s";
}

/** clock counts down, for example "9:05" or "1:02:03"; nothing is left at or below 0. */
export function clock(ms: number): string {
  const left = Math.max(0, Math.ceil(ms / second));
  const [h, m, s] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** offset is a point of a recording, for example "+0:03.250". */
export function offset(ms: number): string {
  const all = Math.max(0, Math.round(ms));
  const whole = Math.floor(all / second);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  const head = h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  return `+${head}.${String(all % second).padStart(3, "0")}`;
}

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const short = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** stamp is the whole time with its zone. */
export function stamp(at: Date): string {
  return full.format(at);
}

/** brief is the time to the second, without the year. */
export function brief(at: Date): string {
  return short.format(at);
}

/** toInput and fromInput are the local time of a datetime-local field. */
export function toInput(at: Date): string {
  const local = new Date(at.getTime() - at.getTimezoneOffset() * minute);
  return local.toISOString().slice(0, 16);
}

export function fromInput(text: string): Date | undefined {
  const at = new Date(text);
  return text === "" || Number.isNaN(at.getTime()) ? undefined : at;
}

/** parseSpan reads "90m", "1h30m" or "45 s" as milliseconds; undefined when it is not a span. */
export function parseSpan(text: string): number | undefined {
  const sizes: Record<string, number> = { d: day, h: hour, m: minute, min: minute, s: second };
  const compact = text.replace(/\s+/g, "").toLowerCase();
  if (!/^(\d+(d|h|min|m|s))+$/.test(compact)) return undefined;
  let ms = 0;
  for (const [, n, unit] of compact.matchAll(/(\d+)(d|h|min|m|s)/g)) ms += Number(n) * sizes[unit!]!;
  return Number.isSafeInteger(ms) && ms > 0 ? ms : undefined;
}
