import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import { storePath } from "../support/build-events.ts";
import { buildAt, startDashboardLab, type DashboardLab } from "../support/dashboard-lab.ts";
import { changeHosts, delayOf, openSessions, recordBuilds, watchChanges } from "../support/dashboard-load.ts";
import { startDashboardProcess } from "../support/dashboard-process.ts";
import { atMost, mebibytes, milliseconds, type BenchResult } from "./bench.ts";

const recorded = 10_000;
const hostName = (index: number): string => `host${String(index).padStart(4, "0")}`;
const hosts: readonly [string, ...string[]] = [
  hostName(0),
  ...Array.from({ length: 999 }, (_, index) => hostName(index + 1)),
];
const changes = 250;
/** 50 a second. */
const betweenMs = 20;
const logLines = 1_000_000;
const clients = { all: 99, stuck: 10 } as const;
const loadSeconds = 60;

/**
 * The dashboard over 10,000 recorded builds and 1000 hosts, with a real browser. Server, NATS' client and browser share the
 * machine.
 */
export async function runDashboardBench(): Promise<readonly BenchResult[]> {
  await using lab = await startDashboardLab();
  await recordBuilds(lab, recorded, hosts);
  await lab.builderIsHere("b1");
  const started = performance.now();
  await using dashboard = await lab.serve();
  while (!(await fetch(`${dashboard.url}/healthz`)).ok) await pause(5);
  const completeMs = performance.now() - started;
  const html = await (await fetch(`${dashboard.url}/`)).text();
  const htmlBytes = gzipSync(html, { level: 5 }).length;

  const browser = await startBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${dashboard.url}/`);
    const paintMs = await page.evaluate(
      () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
    );
    const pixels = await changesToPixels(lab, page);
    const residentBytes = await residentMemory(lab);
    const loaded = await underLoad(lab, page);
    const log = await logTimes(lab, page, dashboard.url);
    return [
      row(`complete after a start with ${recorded} recorded builds`, completeMs, 3000),
      row("first paint of 1000 hosts", paintMs, 1000),
      {
        what: "HTML of 1000 hosts, gzipped",
        ours: `${(htmlBytes / 1024).toFixed(1)} KiB`,
        goal: atMost(Math.round(htmlBytes / 102.4) / 10, 20, " KiB"),
      },
      row(`1000 hosts, 50 changes a second: stored to pixel, p95 of ${changes}`, pixels, 1000),
      row(`log of ${logLines} lines: opened at its end for the first time`, log.openMs, 1000),
      row("the same: any other line", log.jumpMs, 300),
      row("the same: searched to the last hit", log.searchMs, 2000),
      {
        what: `dashboard: resident memory of its process with ${recorded} builds and 1000 hosts`,
        ours: mebibytes(residentBytes),
        goal: atMost(Math.round(residentBytes / 2 ** 20), 200, " MiB"),
      },
      {
        what: `dashboard: the same at its most, with ${clients.all} pages open, ${clients.stuck} of which read nothing, and 50 changes a second`,
        ours: mebibytes(loaded.residentBytes),
        goal: atMost(Math.round(loaded.residentBytes / 2 ** 20), 200, " MiB"),
      },
      row("the same: stored to pixel, p95", loaded.pixelMs, 1000),
    ];
  } finally {
    await browser.close();
  }
}

/** Of the server alone, with pages open. */
async function residentMemory(lab: DashboardLab): Promise<number> {
  await using dashboard = await startDashboardProcess(lab.server);
  for (const path of ["/", "/builds", "/builds/times", "/health"]) {
    await (await fetch(`${dashboard.url}${path}`)).text();
  }
  await pause(5000);
  return await dashboard.metric("resident_memory_bytes");
}

/** The same with a hundred pages open, of which it is one, while hosts change; at its most. */
async function underLoad(
  lab: DashboardLab,
  page: Page,
): Promise<{ readonly residentBytes: number; readonly pixelMs: number }> {
  await using dashboard = await startDashboardProcess(lab.server);
  await using _sessions = await openSessions(dashboard, clients);
  await page.goto(`${dashboard.url}/`);
  await watchChanges(page);
  const resident: number[] = [];
  const stored = await changeHosts(lab, hosts, loadSeconds, async () => {
    resident.push(await dashboard.metric("resident_memory_bytes"));
  });
  await pause(3000);
  resident.push(await dashboard.metric("resident_memory_bytes"));
  return { residentBytes: Math.max(...resident), pixelMs: await delayOf(page, stored) };
}

const row = (what: string, ms: number, goal: number): BenchResult => ({
  what: `dashboard: ${what}`,
  ours: milliseconds(ms),
  goal: atMost(Math.round(ms), goal, " ms"),
});

const pause = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** From after the event is stored until the page has it, at the 95th percentile. */
async function changesToPixels(lab: DashboardLab, page: Page): Promise<number> {
  await pause(1000);
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(globalThis, { seen });
    new MutationObserver(() => {
      for (const each of document.querySelectorAll('tr[data-key^="host:"]')) {
        const key = each.getAttribute("data-key") ?? "";
        if (seen[key] === undefined && each.querySelector("td")?.textContent === "build failed")
          seen[key] = Date.now();
      }
    }).observe(document, { childList: true, subtree: true });
  });
  const build = buildAt(new Date()).accepted(hosts);
  await lab.tell(build);
  const stored = new Map<string, number>();
  for (const host of hosts.slice(0, changes)) {
    await lab.tellMore(build.hostsFinished("build-failed", [host], { reason: "it broke" }));
    stored.set(`host:nixos-servers/${host}`, Date.now());
    await pause(betweenMs);
  }
  await pause(3000);
  const seen = await page.evaluate(() => (globalThis as unknown as { seen: Record<string, number> }).seen);
  const delays = [...stored]
    .map(([key, at]) => (seen[key] ?? Number.POSITIVE_INFINITY) - at)
    .toSorted((a, b) => a - b);
  return delays[Math.floor(delays.length * 0.95)] ?? Number.NaN;
}

async function logTimes(
  lab: DashboardLab,
  page: Page,
  url: string,
): Promise<{ readonly openMs: number; readonly jumpMs: number; readonly searchMs: number }> {
  const build = buildAt(new Date());
  await lab.tell(build.accepted(["host0001"]));
  const text = Array.from(
    { length: logLines },
    (_, index) => `[${index + 1}] gcc -O2 -fPIC -c drivers/net/ice_${index}.c -o build/ice.o\n`,
  );
  await lab.printLog(build.id, 1, text.join(""), { drvPath: storePath("big-1.0.drv") });
  const log = `${url}/builds/${build.id}/logs/1`;
  const time = async (address: string): Promise<number> => {
    const started = performance.now();
    await page.goto(address, { waitUntil: "domcontentloaded" });
    return performance.now() - started;
  };
  return {
    openMs: await time(log),
    jumpMs: await time(`${log}?line=500000`),
    searchMs: await time(`${log}?q=ice_${logLines - 1}.c`),
  };
}
