// A dashboard over a fleet that is told of, and a browser, as fixtures of vitest.
import type { Browser, BrowserContext } from "playwright-core";
import { test as base } from "vitest";
import { startBrowser } from "./browser.ts";
import { startDashboardLab } from "./dashboard-lab.ts";

/** One browser for a test file; a lab, and `window`, a context of the browser, for each test. */
export const test = base
  .extend("lab", async ({}, { onCleanup }) => {
    const lab = await startDashboardLab();
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("browser", { scope: "file" }, async ({}, { onCleanup }): Promise<Browser> => {
    const browser = await startBrowser();
    onCleanup(() => browser.close());
    return browser;
  })
  .extend("window", async ({ browser }, { onCleanup }): Promise<BrowserContext> => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    onCleanup(() => context.close());
    return context;
  });
