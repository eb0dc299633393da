// The dashboard under load: a hundred pages of people, and a fleet that changes fifty times a second.
import { request, type ClientRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { workThrough } from "../../src/base/work-through.ts";
import { buildResultOf } from "../../src/protocol/results.ts";
import { buildAt, type DashboardLab } from "./dashboard-lab.ts";
import type { DashboardProcess } from "./dashboard-process.ts";

const changesASecond = 50;
const forever = new AbortController().signal;

/** So many builds that are over, with their rows, and then one of all hosts. */
export async function recordBuilds(
  lab: DashboardLab,
  count: number,
  hosts: readonly [string, ...string[]],
): Promise<void> {
  const record = async (index: number): Promise<void> => {
    const build = buildAt(new Date(Date.now() - (count - index) * 240_000 - 3_600_000))
      .accepted([hosts[0]])
      .hostsFinished("built", [hosts[0]])
      .finished("succeeded");
    const log = await lab.bus.openEventLog(build.id, [], forever);
    for (const event of build.events) await log.append(event, forever);
    const result = buildResultOf(build.state);
    if (result !== undefined) await lab.bus.results.putBuild(result, forever);
  };
  await workThrough([...Array(count).keys()], 200, record);
  await lab.tell(
    buildAt(new Date(Date.now() - 1_000_000))
      .accepted(hosts, { complete: true })
      .hostsFinished("built", hosts, { cached: true })
      .finished("succeeded"),
  );
}

/** Pages that get news of Fleet, from several addresses: `stuck` of them read nothing. */
export async function openSessions(
  { url }: Pick<DashboardProcess, "url">,
  clients: { readonly all: number; readonly stuck: number },
): Promise<AsyncDisposable> {
  const { port } = new URL(url);
  const sessions = await Promise.all(
    Array.from(
      { length: clients.all },
      async (_, index) =>
        new Promise<ClientRequest>((resolve, reject) => {
          const localAddress = `127.0.0.${2 + (index % 20)}`;
          const asked = request(
            { port, host: "127.0.0.1", localAddress, path: "/events?page=%2F", agent: false },
            (answer) => {
              answer.on("error", () => undefined);
              if (index >= clients.stuck) answer.resume();
              resolve(asked);
            },
          );
          asked.on("error", reject).end();
        }),
    ),
  );
  return {
    async [Symbol.asyncDispose]() {
      for (const each of sessions) each.destroy();
    },
  };
}

/** Marks when each change is in the page. */
export const watchChanges = async (page: Page): Promise<void> =>
  page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(globalThis, { seen });
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const row of addedNodes) {
          if (!(row instanceof HTMLElement)) continue;
          const build = row.querySelector("td:nth-of-type(5) a")?.getAttribute("href") ?? "";
          seen[`${row.dataset["key"]} ${build}`] ??= Date.now();
        }
      }
    }).observe(document, { childList: true, subtree: true });
  });

/** @returns when each change was stored: by the row and the build that it then leads to */
export async function changeHosts(
  lab: DashboardLab,
  hosts: readonly string[],
  seconds: number,
  measure: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const stored = new Map<string, number>();
  const started = performance.now();
  let build = buildAt(new Date()).accepted(hosts, { complete: true });
  for (let change = 0; change < seconds * changesASecond; change++) {
    const host = hosts[change % hosts.length] ?? "";
    if (change > 0 && change % hosts.length === 0) {
      await lab.tellMore(build.finished("failed"));
      build = buildAt(new Date()).accepted(hosts, { complete: true });
    }
    await lab.tellMore(
      build.hostsFinished(change % 7 === 0 ? "build-failed" : "built", [host], { reason: "it broke" }),
    );
    stored.set(`host:nixos-servers/${host} /builds/${build.id}`, Date.now());
    if (change % (changesASecond * 10) === 0) await measure();
    await sleep(Math.max(0, started + change * (1000 / changesASecond) - performance.now()));
  }
  return stored;
}

/** From after a change is stored until the page has it, in milliseconds at the 95th percentile. */
export async function delayOf(page: Page, stored: ReadonlyMap<string, number>): Promise<number> {
  const seen = await page.evaluate(() => (globalThis as unknown as { seen: Record<string, number> }).seen);
  const delays = [...stored]
    .map(([key, at]) => (seen[key] ?? Number.POSITIVE_INFINITY) - at)
    .toSorted((a, b) => a - b);
  return delays[Math.floor(delays.length * 0.95)] ?? Number.NaN;
}
