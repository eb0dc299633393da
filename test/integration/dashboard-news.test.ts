import type { Page } from "playwright-core";
import { expect } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { openPage, shownBy, withBrowser } from "../support/browser.ts";
import { hostRef } from "../support/build-events.ts";
import { buildAt } from "../support/dashboard-lab.ts";
import { tellSunday } from "../support/dashboard-scenes.ts";
import { test } from "../support/dashboard.ts";
import { freePort } from "../support/free-port.ts";
import { playRollout } from "../support/played-rollout.ts";

const isLive = async (page: Page): Promise<boolean> =>
  page.evaluate(() => document.querySelector(".freshness .said")?.textContent === "live");
const rowText = async (page: Page, host: string): Promise<string> =>
  page.evaluate((name) => document.querySelector(`[data-key$="/${name}"] td`)?.textContent ?? "", host);

withBrowser("news", () => {
  test("a build is seen as it goes, in order and at once, and the page keeps focus", async ({
    lab,
    window,
  }) => {
    await using dashboard = await lab.serve();
    const first = buildAt(new Date(Date.now() - 3_600_000));
    await lab.tell(
      first.accepted(["web01", "db"]).hostsFinished("built", ["web01", "db"]).finished("succeeded"),
    );
    const { page, complaints } = await openPage(window, `${dashboard.url}/`);
    await expect.poll(() => rowText(page, "web01")).toBe("built");
    // From the word that is there now: whatever else in the page changes first must not count as a change of it.
    await page.evaluate(() => {
      const word = (): string => document.querySelector('[data-key$="/web01"] td')?.textContent ?? "";
      const seen = [word()];
      Object.assign(globalThis, { seen });
      new MutationObserver(() => {
        if (seen.at(-1) !== word()) seen.push(word());
      }).observe(document.querySelector("main") ?? document, { childList: true, subtree: true });
    });
    await page.focus('[data-key$="/web01"] a.name');

    const build = buildAt(new Date());
    const web01 = hostRef("web01");
    const steps: readonly [() => unknown, string][] = [
      // The page shows that the build runs before the host's own word changes.
      [() => build.accepted(["web01", "db"]), "built"],
      [() => build.evaluated("web01", "db").building("web01"), "building"],
      [
        () =>
          build.event({
            type: "retrying",
            hosts: [web01],
            reason: "the disk is full",
            attempt: 2,
            delayMs: 1,
          }),
        "trying again after an infrastructure fault",
      ],
      [() => build.building("web01"), "building"],
      [() => build.hostsFinished("build-failed", ["web01"], { reason: "it broke" }), "build failed"],
    ];
    for (const [step, word] of steps) {
      step();
      await lab.tellMore(build);
      await expect.poll(() => page.textContent("main")).toContain("running");
      await expect.poll(() => rowText(page, "web01")).toBe(word);
    }
    const seen = await page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen);
    expect(seen).toEqual(steps.map(([, word]) => word));
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("web01");
    expect(complaints).toEqual([]);
  });

  test("in an order that changes, rows move, and the page keeps focus and everything else", async ({
    lab,
    window,
  }) => {
    const hosts = ["web01", "web02", "db", "nas", "mail", "dns"];
    const finish = async (secondsAgo: number, ...some: readonly string[]): Promise<void> => {
      const build = buildAt(new Date(Date.now() - secondsAgo * 1000));
      await lab.tell(build.accepted(some).hostsFinished("built", some).finished("succeeded"));
    };
    for (const [index, host] of hosts.entries()) await finish(600 - index, host);
    await using dashboard = await lab.serve();
    const { page, complaints } = await openPage(window, `${dashboard.url}/?sort=-when`);
    const order = async (): Promise<readonly (string | null)[]> =>
      page.evaluate(() => [...document.querySelectorAll("tbody a.name")].map((name) => name.textContent));
    await expect.poll(order).toEqual(hosts.toReversed());
    await page.evaluate(() => {
      for (const row of document.querySelectorAll("tbody tr")) Object.assign(row, { isOld: true });
    });
    await page.focus('[data-key$="/db"] a.name');
    await finish(100, "web02");
    await expect.poll(order).toEqual(["web02", "dns", "mail", "nas", "db", "web01"]);
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("db");
    // One that moves keeps the focus as well.
    await finish(20, "db");
    await expect.poll(order).toEqual(["db", "web02", "dns", "mail", "nas", "web01"]);
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("db");
    const kept = await page.evaluate(
      () => [...document.querySelectorAll("tbody tr")].filter((row) => "isOld" in row).length,
    );
    expect(kept).toBe(4);
    expect(complaints).toEqual([]);
  });

  test("six pages are live at once, and one that was hidden is complete on return", async ({
    lab,
    window,
  }) => {
    await using dashboard = await lab.serve();
    const scene = await tellSunday(lab, { now: new Date(), logLines: 20 });
    const paths = ["/", "/builds", `/builds/${scene.running.id}`, "/queue", "/health", "/updates"];
    const pages = await Promise.all(paths.map(async (path) => openPage(window, `${dashboard.url}${path}`)));
    for (const { page } of pages) await expect.poll(() => isLive(page)).toBe(true);
    const hidden = pages[0]?.page;
    if (hidden === undefined) throw new Error("a page");
    // As a browser does after a minute in the background.
    await hidden.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await lab.tellMore(scene.running.hostsFinished("built", ["web01"], { cached: true }));
    await hidden.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: false, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await expect.poll(() => rowText(hidden, "web01")).toBe("built");
    expect(pages.flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  test("a page that was hidden for ten minutes of a night is complete on return, with the right durations", async ({
    lab,
    window,
  }) => {
    let sleptMs = 0;
    const clock = { ...systemClock, now: () => new Date(Date.now() + sleptMs) };
    await using dashboard = await lab.serve({ clock });
    const scene = await tellSunday(lab, { now: new Date(), logLines: 20 });
    const page = await window.newPage();
    await page.clock.install();
    await page.goto(`${dashboard.url}/`);
    await expect.poll(() => rowText(page, "web02")).toBe("unchanged");
    const setHidden = async (hidden: boolean): Promise<void> =>
      page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const clients = async (): Promise<string | undefined> =>
      /_clients (\d+)$/m.exec(await (await fetch(`${dashboard.url}/metrics`)).text())?.[1];
    const sleep = async (minutes: number): Promise<void> => {
      await page.clock.fastForward(minutes * 60_000);
      sleptMs += minutes * 60_000;
    };
    await expect.poll(clients).toBe("1");
    await setHidden(true);
    await sleep(10);
    await expect.poll(clients).toBe("0");
    await lab.tellMore(scene.running.hostsFinished("built", ["web02"], { cached: true }));
    await sleep(8 * 60);
    await setHidden(false);
    await expect.poll(() => rowText(page, "web02")).toBe("built");
    await expect.poll(() => isLive(page)).toBe(true);
    expect(await page.textContent(".running")).toMatch(/8h1[34]m so far/);
    const fresh = await (await fetch(`${dashboard.url}/`)).text();
    expect(fresh).toContain(await page.getAttribute("main", "data-mark"));
  });

  test("after a restart and after an outage of NATS, the page says that it is stale, and is repaired without a reload", async ({
    lab,
    window,
  }) => {
    const listen = { host: "127.0.0.1", port: await freePort() };
    let dashboard = await lab.serve({ listen });
    const scene = await tellSunday(lab, { now: new Date(), logLines: 20 });
    const played = playRollout().canary().add(644, { type: "wave-started", wave: 1 }).orders(645, "web01");
    await lab.tellRollout(played.events);
    const { page, complaints } = await openPage(window, `${dashboard.url}/`);
    const { page: rollout } = await openPage(window, `${dashboard.url}/rollouts/${played.id}`);
    const { page: rollouts } = await openPage(window, `${dashboard.url}/rollouts`);
    await expect.poll(() => rowText(page, "web02")).toBe("unchanged");
    for (const each of [page, rollout, rollouts]) {
      await each.evaluate(() => Object.assign(globalThis, { loadedOnce: true }));
    }

    await dashboard[Symbol.asyncDispose]();
    await lab.tellMore(scene.running.hostsFinished("built", ["web02"], { cached: true }));
    dashboard = await lab.serve({ listen });
    await expect.poll(() => rowText(page, "web02")).toBe("built");
    await expect.poll(() => isLive(page)).toBe(true);

    await lab.server.kill();
    for (const each of [page, rollout, rollouts]) {
      await expect
        .poll(() => each.evaluate(() => document.querySelector(".freshness .said")?.textContent ?? ""))
        .toMatch(/^stale since .*, reconnecting$/);
    }
    expect(await rowText(page, "web02")).toBe("built");
    expect(await rollout.textContent('[data-key="wave-host:web01"]')).toContain("ordered");
    expect(await rollouts.textContent("tbody tr")).toContain("deploying web01");
    await lab.server.start();
    await expect.poll(() => lab.connection.isConnected()).toBe(true);
    const hosts = ["router", "laptop", "media", "monitor", "testvm02", "cache-host"];
    for (const host of hosts)
      await lab.tellMore(scene.running.hostsFinished("built", [host], { cached: true }));
    await lab.tellMore(
      scene.running
        .hostsFinished("build-failed", ["gitea", "backup", "rpi-garage", "web01"])
        .finished("failed"),
    );
    await expect.poll(() => rowText(page, "gitea")).toBe("build failed");
    await expect.poll(() => isLive(page)).toBe(true);
    played.ends(660, "web01", { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" });
    played.add(661, { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed", host: "web01" });
    await lab.tellRollout(played.events);
    await expect.poll(() => rollout.textContent(".lead")).toBe("halted: 1 host failed");
    for (const each of [page, rollout, rollouts]) {
      const fresh = await openPage(window, each.url());
      await expect.poll(async () => (await shownBy(each)) === (await shownBy(fresh.page))).toBe(true);
      expect(await each.evaluate(() => "loadedOnce" in globalThis)).toBe(true);
    }
    expect(complaints.filter((each) => !each.includes("ERR_"))).toEqual([]);
    await dashboard[Symbol.asyncDispose]();
  });
});
