import { counts, diff, type Line } from "./diff";

/** Files are the texts of a policy bundle by their relative paths. */
export type Files = Readonly<Record<string, string>>;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** decode reads a bundle. A file that is not UTF-8 is an error: shown wrongly it would be kept wrongly. */
export function decode(files: Readonly<Record<string, Uint8Array>>): Files {
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, text(path, bytes)]));
}

function text(path: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Error(`${path} is not text in UTF-8; the command line can pull it`);
  }
}

export function encode(files: Files): Record<string, Uint8Array<ArrayBuffer>> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [path, encoder.encode(content)]));
}

/** paths are sorted as people look for them: policies first, then tests. */
export function paths(files: Files): string[] {
  const rank = (path: string) => (path.endsWith(".cedar") ? 0 : 1);
  return Object.keys(files).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Change is one file that differs between two bundles. */
export interface Change {
  path: string;
  kind: "added" | "removed" | "changed";
  lines: Line[];
  added: number;
  removed: number;
}

/** changes compares two bundles. */
export function changes(before: Files, after: Files): Change[] {
  const all = paths({ ...before, ...after });
  return all.filter((path) => before[path] !== after[path]).map((path) => {
    const lines = diff(before[path] ?? "", after[path] ?? "");
    const kind = before[path] === undefined ? "added" : after[path] === undefined ? "removed" : "changed";
    return { path, kind, lines, ...counts(lines) };
  });
}

/** problemWithPath says why a bundle cannot have a file of that name; undefined when it can. */
export function problemWithPath(path: string, files: Files): string | undefined {
  if (!/\.(cedar|ya?ml)$/.test(path)) return "End the name with .cedar for policies or .yaml for tests; privileged.yaml is the list of privileged actions.";
  if (!/^[A-Za-z0-9_-][A-Za-z0-9_./-]*$/.test(path) || path.includes("..") || path.includes("//")) return "Use letters, digits, dashes, dots and slashes.";
  return files[path] === undefined ? undefined : "There is a file of that name.";
}
