// The dashboard under load, with a real Chromium: a log that is written faster than anybody reads, and a fleet of a thousand
// hosts that changes all the time while a hundred pages are open. `npm run campaign -- dashboard`.
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import { storePath } from "../support/build-events.ts";
import { buildAt, startDashboardLab } from "../support/dashboard-lab.ts";
import { changeHosts, delayOf, openSessions, watchChanges } from "../support/dashboard-load.ts";
import { startDashboardProcess } from "../support/dashboard-process.ts";

export interface DashboardCampaign {
  readonly followSeconds: number;
  readonly changeSeconds: number;
  readonly say: (line: string) => void;
}

const linesASecond = 5000;
const clients = { all: 100, stuck: 10 } as const;
const limits = {
  pixelMs: 1000,
  residentBytes: 200 * 2 ** 20,
  growthBytes: 30 * 2 ** 20,
  heapBytes: 20 * 2 ** 20,
};

/** @returns what was wrong */
export async function runDashboardCampaign(options: DashboardCampaign): Promise<readonly string[]> {
  const browser = await startBrowser();
  try {
    return [...(await followLog(browser, options)), ...(await changeFleet(browser, options))];
  } finally {
    await browser.close();
  }
}

async function followLog(
  browser: Browser,
  { followSeconds, say }: DashboardCampaign,
): Promise<readonly string[]> {
  await using lab = await startDashboardLab();
  const build = buildAt(new Date());
  await lab.tell(build.accepted(["web01"]).building("web01"));
  const printed: string[] = [];
  let index = 0;
  const print = async (): Promise<void> => {
    const start = printed.length + 1;
    const lines = Array.from({ length: linesASecond / 10 }, (_, at) => `step ${start + at} of many`);
    printed.push(...lines);
    await lab.printLog(build.id, 1, `${lines.join("\n")}\n`, {
      index: index++,
      drvPath: storePath("big-1.0.drv"),
    });
  };
  await print();
  await using dashboard = await lab.serve();
  const page = await browser.newPage();
  const log = `${dashboard.url}/builds/${build.id}/logs/1`;
  await page.goto(log);
  await page.keyboard.press("f");
  const faults: string[] = [];
  const started = performance.now();
  let stayedAt: string | undefined;
  for (let turn = 1; turn <= followSeconds * 10; turn++) {
    await print();
    if (turn === followSeconds * 5) {
      await page.mouse.move(640, 500);
      await page.mouse.wheel(0, -700);
      await sleep(1000);
      stayedAt = await topLine(page);
    }
    await sleep(Math.max(0, started + turn * 100 - performance.now()));
  }
  if ((await topLine(page)) !== stayedAt)
    faults.push(`scrolled up to ${stayedAt}, and it moved to ${await topLine(page)}`);
  await sleep(2000);
  const [said, shown] = await page.evaluate(() => [
    document.querySelector("#new-lines")?.textContent ?? "",
    document.querySelector(".window:last-child .l:last-child .n")?.textContent ?? "",
  ]);
  const missing = `${(printed.length - Number(shown)).toLocaleString("en")} new lines`;
  if (said !== missing) faults.push(`it says ${JSON.stringify(said)}, and there are ${missing}`);
  await page.click("#new-lines");
  const last = `step ${printed.length} of many`;
  const isAtEnd = async (): Promise<boolean> =>
    page.evaluate(
      (text) => document.querySelector(".window:last-child .l:last-child .t")?.textContent === text,
      last,
    );
  for (let waits = 0; waits < 600 && !(await isAtEnd()); waits++) await sleep(100);
  if (!(await isAtEnd())) faults.push("following again does not come to the end");
  const raw = await (await fetch(`${log}/raw`)).text();
  if (raw !== `${printed.join("\n")}\n`) faults.push("the raw log is not what was printed");
  say(`followed ${printed.length} lines`);
  await page.close();
  return faults;
}

const topLine = async (page: Page): Promise<string> =>
  page.evaluate(() => {
    const view = document.querySelector("#lines")?.getBoundingClientRect().top ?? 0;
    return (
      [...document.querySelectorAll(".l")].find((line) => line.getBoundingClientRect().bottom > view)?.id ??
      ""
    );
  });

async function changeFleet(
  browser: Browser,
  { changeSeconds, say }: DashboardCampaign,
): Promise<readonly string[]> {
  await using lab = await startDashboardLab();
  const hosts = Array.from({ length: 1000 }, (_, index) => `host${String(index).padStart(4, "0")}`);
  await lab.builderIsHere("b1");
  await lab.tell(
    buildAt(new Date())
      .accepted(hosts, { complete: true })
      .hostsFinished("built", hosts)
      .finished("succeeded"),
  );
  await using dashboard = await startDashboardProcess(lab.server);
  await using _sessions = await openSessions(dashboard, clients);
  const page = await browser.newPage();
  await page.goto(`${dashboard.url}/?sort=-when&q=host0`);
  await watchChanges(page);
  const [resident, heap]: [number[], number[]] = [[], []];
  const faults: string[] = [];
  const stored = await changeHosts(lab, hosts, changeSeconds, async () => {
    resident.push(await dashboard.metric("resident_memory_bytes"));
    heap.push(await heapOf(page));
    say(
      `server ${mebibytes(resident.at(-1))}, page ${mebibytes(heap.at(-1))}, ${await dashboard.metric("clients")} pages open`,
    );
  });
  await sleep(3000);
  const p95 = await delayOf(page, stored);
  say(`${stored.size} changes, stored to pixel p95 ${p95} ms`);
  if (!(p95 <= limits.pixelMs)) faults.push(`from stored to pixel: ${p95} ms at the 95th percentile`);
  const grew = (values: readonly number[]): number =>
    (values.at(-1) ?? 0) - (values[Math.floor(values.length / 3)] ?? 0);
  if (Math.max(...resident) > limits.residentBytes)
    faults.push(`the server took ${mebibytes(Math.max(...resident))}`);
  if (grew(resident) > limits.growthBytes) faults.push(`the server grew by ${mebibytes(grew(resident))}`);
  if (grew(heap) > limits.heapBytes) faults.push(`the page grew by ${mebibytes(grew(heap))}`);
  const open = await dashboard.metric("clients");
  if (open > clients.all - clients.stuck + 1)
    faults.push(`${open} pages are open: those that read nothing are not closed`);
  if (!page.url().endsWith("?sort=-when&q=host0")) faults.push(`the page became ${page.url()}`);
  const names = await page.evaluate(() =>
    [...document.querySelectorAll("tbody a.name")].map((name) => name.textContent),
  );
  if (names.length !== 1000) faults.push(`${names.length} rows fit the filter`);
  await page.close();
  return faults;
}

async function heapOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

const mebibytes = (bytes = 0): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
