// Opens every page in Chromium, in both themes, wide and at 375 px, and fails for whatever axe-core finds, for anything
// that the Content-Security-Policy refuses, for an error, and for a page that scrolls sideways. Screenshots go to
// build/console-pages/shots. Usage: npm run pages [-- NAME...]; CHROMIUM names the browser.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { pages } from "./list.mjs";
import { serve } from "./serve.mjs";
import { scrolls } from "./scroll.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const views = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { name: "narrow", colorScheme: "light", viewport: { width: 900, height: 800 } },
  { name: "phone", colorScheme: "light", viewport: { width: 375, height: 812 }, hasTouch: true },
  { name: "phone-dark", colorScheme: "dark", viewport: { width: 375, height: 812 }, hasTouch: true },
];
const wanted = process.argv.slice(2);
const shots = join(root, "build/console-pages/shots");
mkdirSync(shots, { recursive: true });

const site = await serve(root);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let faults = 0;
try {
  for (const view of views) for (const page of pages) if (wanted.length === 0 || wanted.includes(page.name)) await look(view, page);
  if (wanted.length === 0 || wanted.includes("scroll")) faults += await scrolls(browser, site.address);
} finally {
  await browser.close();
  site.close();
}
console.log(faults === 0 ? "pages: nothing found" : `pages: ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;

async function look({ name: view, ...options }, { name, path, scene = "full", ready, act }) {
  const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
  const page = await context.newPage();
  const found = [];
  page.on("pageerror", (error) => found.push(`error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && found.push(`console: ${message.text()}`));
  await page.addInitScript((chosen) => sessionStorage.setItem("scene", chosen), scene);
  try {
    await page.goto(site.address + path);
    await page.locator(ready).first().waitFor({ timeout: 15_000 });
    await act?.(page);
    await page.waitForTimeout(150);
    await page.screenshot({ path: join(shots, `${name}.${view}.png`), fullPage: !act });
    found.push(...(await sideways(page)), ...(await check(page)));
  } catch (error) {
    found.push(String(error.message).split("\n").slice(0, 4).join(" "));
    await page.screenshot({ path: join(shots, `${name}.${view}.png`) });
  }
  for (const fault of found) console.log(`${name} (${view}): ${fault}`);
  faults += found.length;
  await context.close();
}

async function sideways(page) {
  const width = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  return width > 0 ? [`the page scrolls sideways by ${width} px`] : [];
}

async function check(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.flatMap((v) => v.nodes.slice(0, 4).map((node) => `axe ${v.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\n").slice(1, 3).join(" ").trim()}`));
}
