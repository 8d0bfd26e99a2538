/** pages are every page of the console, with what to do on it before it is looked at. */
export const pages = [
  { name: "sign-in", path: "/", scene: "signed-out", ready: ".sign-in .button" },
  { name: "approvals", path: "/approvals", ready: ".approval" },
  { name: "approvals-empty", path: "/approvals", scene: "empty", ready: ".empty" },
  { name: "approvals-broken", path: "/approvals", scene: "broken", ready: ".note" },
  { name: "approvals-member", path: "/approvals", scene: "member", ready: ".approval" },
  { name: "approve", path: "/approvals", ready: ".approval", act: (page) => page.getByRole("button", { name: "Approve…" }).first().click() },
  { name: "approval", path: "/approvals/hold-01J9ZK5B1C3D5E7F9G1H3J5K7M", ready: ".approval" },
  { name: "approval-role", path: "/approvals/req-01J9ZK8D4E6F8G0H2J4K6M8N0P", ready: ".role" },
  { name: "approval-missing", path: "/approvals/hold-none", ready: ".note" },
  { name: "requests", path: "/requests", ready: ".table" },
  { name: "ask", path: "/requests", ready: ".table", act: ask },
  { name: "grants", path: "/grants", ready: ".table" },
  { name: "grants-empty", path: "/grants", scene: "empty", ready: ".empty" },
  { name: "grant", path: "/grants/grant-01J9ZJZZ0000000000000000A1", ready: ".card" },
  { name: "review", path: "/grants", ready: ".table", act: (page) => page.getByRole("button", { name: "Review…" }).first().click() },
  { name: "sessions", path: "/sessions", ready: ".virtual" },
  { name: "session", path: "/sessions/ses-01j9zk3m5d7f9h1k3n5q7s9v1x", ready: ".event" },
  { name: "session-cluster", path: "/sessions/ses-kube", ready: ".terminal" },
  { name: "session-terminal", path: "/sessions/ses-kube", ready: ".terminal", act: terminal },
  { name: "kill", path: "/sessions/ses-01j9zk3m5d7f9h1k3n5q7s9v1x", ready: ".event", act: (page) => page.getByRole("button", { name: "Kill…" }).click() },
  { name: "principals", path: "/principals", ready: ".table" },
  { name: "resources", path: "/resources", ready: ".table" },
  { name: "resource", path: "/resources/orders-db", ready: ".card" },
  { name: "edges", path: "/edges", ready: ".table" },
  { name: "join", path: "/edges", ready: ".table", act: join },
  { name: "policy", path: "/policy", ready: ".editor .cm-content", act: (page) => page.getByText("Valid").waitFor() },
  { name: "policy-problem", path: "/policy", ready: ".editor .cm-content", act: mistake },
  { name: "policy-push", path: "/policy", ready: ".editor .cm-content", act: push },
  { name: "policy-diff", path: "/policy/diff", ready: ".diff" },
  { name: "policy-history", path: "/policy/history", ready: ".table" },
  { name: "policy-empty", path: "/policy", scene: "empty", ready: ".empty" },
  { name: "audit", path: "/audit", ready: ".record" },
  { name: "audit-open", path: "/audit?decision=deny&back=custom", ready: ".record", act: (page) => page.locator(".record > summary").nth(3).click() },
  { name: "locks", path: "/locks", ready: ".table" },
  { name: "lock", path: "/locks", ready: ".table", act: (page) => page.getByRole("button", { name: "Set a lock…" }).click() },
  { name: "notifications", path: "/notifications", ready: ".table" },
  { name: "nowhere", path: "/nowhere", ready: ".empty" },
  { name: "help", path: "/locks", ready: ".table", act: (page) => page.keyboard.press("?") },
  { name: "palette", path: "/locks", ready: ".table", act: (page) => page.keyboard.press("Control+k") },
];

// terminal plays an exec from its start, and looks at it when it has come to its end.
async function terminal(page) {
  const shown = page.locator(".terminal");
  const end = await shown.textContent();
  const says = (wanted) => page.waitForFunction((w) => document.querySelector(".terminal")?.textContent.includes("logged in") === w, wanted, { timeout: 20_000 });
  await page.locator(".player select").selectOption("5");
  await page.getByRole("button", { name: "Play from its start" }).first().click();
  await says(false);
  await says(true);
  await page.getByRole("button", { name: "Show all" }).click({ timeout: 2_000 }).catch(() => {}); // unless it came to the end
  const again = await shown.textContent();
  if (again !== end || !end.includes("logged in")) throw new Error(`played, the terminal shows ${JSON.stringify(again)}, not ${JSON.stringify(end)}`);
  await page.getByText("3 lines typed").click();
  await shown.scrollIntoViewIfNeeded();
}

async function ask(page) {
  await page.getByRole("button", { name: "Ask for access" }).click();
  await page.getByLabel("Resource").fill("orders-db");
  await page.getByLabel("Actions").fill("sql:admin");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.locator(".dialog .note").first().waitFor();
}

async function join(page) {
  await page.getByRole("button", { name: "Add an edge" }).click();
  await page.getByLabel("Name").fill("edge-eu-2");
  await page.getByRole("button", { name: "Make a join token" }).click();
  await page.locator(".copy").first().waitFor();
}

async function mistake(page) {
  await page.getByRole("button", { name: "shop.cedar" }).click();
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.insertText('permit (principal, action == Action::"sql:reads", resource);\n');
  await page.locator(".spots").waitFor();
}

async function push(page) {
  await page.getByRole("button", { name: "shop.cedar" }).click();
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText('\n@id("auditors-read")\npermit (principal in Group::"auditors", action in Action::"sql:read", resource);\n');
  await page.getByText("Valid").waitFor();
  await page.getByRole("button", { name: "Push…" }).click();
}
