// Pictures of the dashboard over a made-up Sunday with a failing build and a halted rollout, by a real Chromium.
// `node test/tools/dashboard-pictures.ts` renews those in docs/images; `… all DIRECTORY` makes one of every page, in both
// themes and at three widths, for people to look at.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import * as v from "valibot";
import type { BuildId } from "../../src/protocol/names.ts";
import { RolloutId, type RolloutEvent } from "../../src/protocol/rollout/rollout-events.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { startBrowser } from "../support/browser.ts";
import { hostRef } from "../support/build-events.ts";
import { startDashboardLab, type DashboardLab } from "../support/dashboard-lab.ts";
import { tellProgress, tellSunday } from "../support/dashboard-scenes.ts";
import { orderId } from "../support/deploy-orders.ts";
import { tellDeployments } from "../support/deploy-scene.ts";
import { playRollout } from "../support/played-rollout.ts";

const images = fileURLToPath(new URL("../../docs/images", import.meta.url));
const widths = [1440, 768, 390] as const;
const themes = ["light", "dark"] as const;

interface Told {
  /** Of pages, by names for their files. */
  readonly paths: ReadonlyMap<string, string>;
  readonly running: BuildId;
}

/** Played rollouts begin at a noon: this one as long before now. */
const atItsTime = (events: readonly RolloutEvent[], start: Date): readonly RolloutEvent[] => {
  const laterMs = start.getTime() - Date.parse(events[0]?.at ?? "");
  const text = JSON.stringify(events).replace(/"(\d{4}-\d\d-\d\dT[\d:.]+Z)"/g, (_, time: string) =>
    JSON.stringify(new Date(Date.parse(time) + laterMs).toISOString()),
  );
  return JSON.parse(text) as RolloutEvent[];
};

async function tellFleet(lab: DashboardLab): Promise<Told> {
  const now = new Date();
  const scene = await tellSunday(lab, { now });
  await tellDeployments(lab, { now, commit: "9c41e7f".padEnd(40, "0") });
  await lab.printOutput(
    hostRef("web01"),
    orderId(2),
    0,
    "stopping units\n\u001b[31merror:\u001b[0m gitea.service failed\n",
  );
  const ago = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);
  const halted = playRollout({}, { id: v.parse(RolloutId, newBuildId(ago(14))) })
    .canary()
    .add(644, { type: "wave-started", wave: 1 })
    .orders(645, "web01", "web02")
    .ends(655, "web02")
    .ends(660, "web01", { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" })
    .add(661, { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed, and none may", host: "web01" });
  await lab.tellRollout(atItsTime(halted.events, ago(14)));
  const over = playRollout({}, { id: v.parse(RolloutId, newBuildId(ago(1500))) }).canary();
  over.add(690, { type: "finished", outcome: "completed-with-absent" });
  await lab.tellRollout(atItsTime(over.events, ago(1500)));
  const paths = new Map([
    ["fleet", "/"],
    ["fleet-waves", "/?group=wave&sort=state"],
    ["host", "/hosts/nixos-servers/web01"],
    ["host-fails", "/hosts/nixos-servers/gitea"],
    ["builds", "/builds"],
    ["build-times", "/builds/times"],
    ["build", `/builds/${scene.failing}`],
    ["build-running", `/builds/${scene.running.id}`],
    ["logs", `/builds/${scene.failing}/logs`],
    ["log", `/builds/${scene.failing}/logs/${scene.failedLog}`],
    ["log-search", `/builds/${scene.failing}/logs/${scene.failedLog}?q=error`],
    ["log-output", `/deployments/nixos-servers/web01/${orderId(2)}/log`],
    ["rollouts", "/rollouts"],
    ["rollout", `/rollouts/${halted.id}`],
    ["rollout-over", `/rollouts/${over.id}`],
    ["queue", "/queue"],
    ["updates", "/updates"],
    ["inputs", "/inputs"],
    ["cache", "/cache"],
    ["health", "/health"],
    ["missing", "/no-such-page"],
  ]);
  return { paths, running: scene.running.id };
}

async function takePicture(page: Page, address: string, path: string): Promise<void> {
  await page.goto(address);
  // Times become relative, and progress comes as news.
  await page.waitForTimeout(400);
  await page.screenshot({ path });
}

/** As high as it is: a picture of more than what is seen leaves out what the browser does not draw. */
async function takeWhole(page: Page, address: string, path: string, width: number): Promise<void> {
  await page.setViewportSize({ width, height: 900 });
  await page.goto(address);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.min(4000, height) });
  await page.waitForTimeout(300);
  await page.screenshot({ path });
}

async function pictureAll(
  browser: Browser,
  url: string,
  paths: ReadonlyMap<string, string>,
  to: string,
): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const colorScheme of themes) {
    for (const width of widths) {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      for (const [name, path] of paths) {
        await takeWhole(page, `${url}${path}`, join(to, `${name}-${width}-${colorScheme}.png`), width);
      }
      await page.close();
    }
  }
}

await using lab = await startDashboardLab();
const { paths, running } = await tellFleet(lab);
await using dashboard = await lab.serve();
while (!(await fetch(`${dashboard.url}/healthz`)).ok) await sleep(50);
// Nobody keeps progress: it has to be heard.
await sleep(500);
tellProgress(lab, running, 34);
const browser = await startBrowser();
try {
  const [mode, directory] = process.argv.slice(2);
  if (mode === "all" && directory !== undefined) await pictureAll(browser, dashboard.url, paths, directory);
  else {
    const page = await browser.newPage({ viewport: { width: 1200, height: 700 }, colorScheme: "light" });
    for (const [name, height] of [
      ["fleet", 700],
      ["build", 700],
      ["log", 700],
      ["rollout", 960],
    ] as const) {
      await page.setViewportSize({ width: 1200, height });
      await takePicture(page, `${dashboard.url}${paths.get(name)}`, join(images, `dashboard-${name}.png`));
    }
  }
} finally {
  await browser.close();
}
