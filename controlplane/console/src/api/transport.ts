import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

/** marker is what no form and no other site can send without being asked first; the control plane insists on it. */
export const marker = { "Writ-Console": "1" } as const;

const marked: Interceptor = (next) => (request) => {
  for (const [name, value] of Object.entries(marker)) request.header.set(name, value);
  return next(request);
};

/** consoleTransport calls the control plane that served the page. The login is a cookie that scripts cannot read. */
export function consoleTransport(): Transport {
  return createConnectTransport({
    baseUrl: window.location.origin,
    useBinaryFormat: true,
    defaultTimeoutMs: 30_000,
    interceptors: [marked],
    fetch: (input, init) => fetch(input, { ...init, credentials: "same-origin", redirect: "error" }),
  });
}
