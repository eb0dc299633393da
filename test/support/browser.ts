// A real Chromium for tests of pages: Debian's, which bin/setup installs. `CHROMIUM_BIN` chooses another.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe } from "vitest";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Undefined where there is none. */
const chromiumPath = (): string | undefined =>
  process.env["CHROMIUM_BIN"] ?? places.find((path) => existsSync(path));

const whyNoBrowser = "there is no Chromium here: apt-get install chromium, or set CHROMIUM_BIN";

/** Tests that need a browser. Where there is none they are skipped, and their title says why. */
export function withBrowser(title: string, tests: () => void): void {
  const isMissing = chromiumPath() === undefined;
  const said = isMissing ? `${title}: skipped, because ${whyNoBrowser}` : title;
  // oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback -- both are arguments
  describe.skipIf(isMissing)(said, tests);
}

export async function startBrowser(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(whyNoBrowser);
  // Its own sandbox needs rights that a container does not give; it only sees pages of ours.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A page, and everything that it complained of. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, violations of the policy, dialogs, requests to elsewhere. */
  readonly complaints: readonly string[];
}

export async function openPage(context: BrowserContext, url: string): Promise<WatchedPage> {
  const page = await context.newPage();
  const complaints: string[] = [];
  const { origin } = new URL(url);
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A page that is not found, or a server that is away, is said there as well.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) {
      complaints.push(`request: ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, complaints };
}

/** Calls `window.pageState()`: what the page shows, without what only time changes. */
export const shownBy = async (page: Page): Promise<string> =>
  page.evaluate(() => {
    const copy = document.querySelector("main")?.cloneNode(true);
    if (!(copy instanceof HTMLElement)) return "";
    for (const time of copy.querySelectorAll("time")) {
      time.textContent = "";
      time.removeAttribute("title");
    }
    for (const node of copy.querySelectorAll("[hidden]")) node.removeAttribute("hidden");
    return copy.innerHTML;
  });

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}
declare const axe: { run(options: object): Promise<{ violations: readonly Violation[] }> };

/** What axe finds wrong with a page: by all of its rules, or by some. */
export const violationsOf = async (page: Page, rules?: readonly string[]): Promise<readonly string[]> => {
  // Reading its source takes as long as running it.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource);
  const violations = await page.evaluate(
    async (runOnly) =>
      (await axe.run({ resultTypes: ["violations"], ...(runOnly === undefined ? {} : { runOnly }) }))
        .violations,
    rules,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary ?? ""}`),
  );
};

/** Texts that do not fit where they are shown, and elements that make the page scroll sideways; logs may. */
export const cutTexts = async (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const found: string[] = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls sideways");
    for (const node of document.querySelectorAll("main *")) {
      if (node.closest(".log, .hits, .tail, .reason-text, .unseen, thead, caption, svg") !== null) continue;
      const { overflowX, textOverflow } = getComputedStyle(node);
      const hides = overflowX === "hidden" || overflowX === "clip" || textOverflow === "ellipsis";
      const isCut = node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1;
      if (hides && isCut) found.push(`cut: ${(node.textContent ?? "").slice(0, 80)}`);
    }
    return found;
  });
