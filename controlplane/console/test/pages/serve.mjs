import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

/** policy is the Content-Security-Policy that the control plane sends; it is read from there, so that both are one. */
function policy(root) {
  const source = readFileSync(join(root, "controlplane/internal/web/headers.go"), "utf8");
  const [, text] = /"Content-Security-Policy":\s*((?:"[^"]*"[\s+]*)+)/.exec(source);
  return [...text.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join("");
}

/** serve serves the built pages as the control plane does, on a free port, and returns their address. */
export async function serve(root) {
  const folder = join(root, "build/console-pages");
  const headers = { "Content-Security-Policy": policy(root), "Cross-Origin-Opener-Policy": "same-origin", "X-Content-Type-Options": "nosniff" };
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const name = types[extname(path)] ? path : "/index.html";
    try {
      const body = readFileSync(join(folder, name));
      response.writeHead(200, { ...headers, "Content-Type": types[extname(name)] }).end(body);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
