import { Code, ConnectError } from "@connectrpc/connect";
import { marker } from "./transport";

const json = { ...marker, "Content-Type": "application/json" };

/** signInAsAdmin exchanges the token of the first start for the login cookie. Errors are ConnectErrors. */
export async function signInAsAdmin(token: string): Promise<void> {
  const answer = await post("/signin/admin", JSON.stringify({ token }));
  if (answer.ok) return;
  throw new ConnectError(await said(answer), answer.status === 401 || answer.status === 403 ? Code.PermissionDenied : Code.Unavailable);
}

/** signOut ends the login and loads the page anew, so that nothing of it stays in memory. */
export async function signOut(): Promise<void> {
  await post("/signout", "{}").catch(() => undefined);
  window.location.assign("/");
}

/** browserSignIn is where a browser sign-in begins, at this control plane; it comes back to the page that is open now. */
export function browserSignIn(path: string): string {
  const start = new URL(path, window.location.origin);
  start.searchParams.set("return", window.location.pathname + window.location.search);
  return start.pathname + start.search;
}

async function post(path: string, body: string): Promise<Response> {
  try {
    return await fetch(path, { method: "POST", headers: json, body, credentials: "same-origin", redirect: "error" });
  } catch {
    throw new ConnectError("no answer", Code.Unavailable);
  }
}

/** said is the message of a refusal, which is JSON as that of a call is, or a line of text. */
async function said(answer: Response): Promise<string> {
  const text = (await answer.text()).slice(0, 500);
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === "string") return message;
  } catch {
    // Not JSON: a line of text.
  }
  return /^[^<\n]{1,300}\n?$/.test(text) ? text : `the control plane answered ${answer.status}`;
}
