import { expect } from "vitest";
import { cutTexts, openPage, violationsOf, withBrowser } from "../support/browser.ts";
import { hostRef } from "../support/build-events.ts";
import { tellSunday, type Scene } from "../support/dashboard-scenes.ts";
import { startDashboardLab } from "../support/dashboard-lab.ts";
import { playRollout } from "../support/played-rollout.ts";
import { aRolloutId } from "../support/rollout-events.ts";
import { test as base } from "../support/dashboard.ts";
import { orderId } from "../support/deploy-orders.ts";
import { tellDeployments } from "../support/deploy-scene.ts";

const halted = playRollout()
  .canary()
  .add(644, { type: "wave-started", wave: 1 })
  .orders(645, "web01")
  .ends(660, "web01", { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" })
  .add(661, { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed, and none may", host: "web01" });
const finished = playRollout({}, { id: aRolloutId(-3600) })
  .canary()
  .add(9, { type: "finished", outcome: "completed-with-absent" });

/** A Sunday with deployments and rollouts, and a dashboard over it: nothing here changes it, so that all tests share it. */
const test = base.extend("sunday", { scope: "file" }, async ({}, { onCleanup }) => {
  const open = new AsyncDisposableStack();
  onCleanup(() => open.disposeAsync());
  const lab = open.use(await startDashboardLab());
  const now = new Date();
  const scene = await tellSunday(lab, { now });
  await tellDeployments(lab, { now, commit: "9c41e7f".padEnd(40, "0") });
  const printed = "stopping units\n\u001b[31merror:\u001b[0m gitea.service failed\n";
  await lab.printOutput(hostRef("web01"), orderId(2), 0, printed);
  await lab.tellRollout(halted.events);
  await lab.tellRollout(finished.events);
  const dashboard = open.use(await lab.serve());
  await expect.poll(async () => (await fetch(`${dashboard.url}/`)).text()).toContain("rolled back");
  return { scene, url: dashboard.url };
});

const paths = [
  "/",
  "/?state=bad&sort=state",
  "/?group=wave",
  "/builds",
  "/builds/times",
  "/builds/FAILING",
  "/builds/RUNNING",
  "/builds/FAILING/logs",
  "/builds/FAILING/logs/3?from=3190&q=error",
  "/builds/FAILING/logs/3?q=error&only=1",
  `/deployments/nixos-servers/web01/${orderId(2)}/log`,
  "/hosts/nixos-servers/gitea",
  "/hosts/nixos-servers/web01",
  "/hosts/nixos-servers/router",
  "/rollouts",
  "/rollouts/HALTED",
  "/queue",
  "/updates",
  "/inputs",
  "/cache",
  "/health",
  "/no-such-page",
] as const;
const addressOf = (path: string, { scene, url }: { readonly scene: Scene; readonly url: string }): string =>
  `${url}${path.replace("FAILING", scene.failing).replace("RUNNING", scene.running.id).replace("HALTED", halted.id)}`;

withBrowser("pages", () => {
  for (const path of paths) {
    test(`nothing that axe knows is wrong on ${path}, and nothing is cut, narrow, enlarged or printed`, async ({
      sunday,
      window,
    }) => {
      const { page, complaints } = await openPage(window, addressOf(path, sunday));
      const found: string[] = [];
      // The themes differ in their colours alone.
      const colours = ["color-contrast"];
      for (const [width, colorScheme, rules] of [
        [1440, "light", undefined],
        [1440, "dark", colours],
        [360, "dark", undefined],
        [360, "light", colours],
      ] as const) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme });
        found.push(...(await violationsOf(page, rules)).map((each) => `${width} ${colorScheme}: ${each}`));
      }
      // 640 pixels are 1280 at 200 %.
      for (const width of [1440, 768, 640, 320]) {
        await page.setViewportSize({ width, height: 900 });
        if (width < 768) found.push(...(await cutTexts(page)).map((each) => `${width}: ${each}`));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) found.push(`${width}: it scrolls sideways`);
      }
      await page.setViewportSize({ width: 720, height: 1000 });
      await page.emulateMedia({ media: "print", colorScheme: "dark" });
      found.push(...(await cutTexts(page)).map((each) => `printed: ${each}`));
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      if (paper !== "rgb(255, 255, 255)") found.push(`it is printed on ${paper}`);
      expect([...found, ...complaints]).toEqual([]);
    });
  }

  test("by keyboard alone: from the fleet to the failed host, its build, its log, and back", async ({
    sunday,
    window,
  }) => {
    const { page } = await openPage(window, `${sunday.url}/?sort=state`);
    await expect.poll(() => page.textContent("tbody tr")).toContain("backup");
    await page.keyboard.press("j");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("backup");
    const outline = await page.evaluate(
      () => document.activeElement && getComputedStyle(document.activeElement).outlineStyle,
    );
    expect(outline).toBe("solid");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/hosts/nixos-servers/backup");
    expect(await page.textContent("h1")).toContain("backup");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/builds/*");
    await page.keyboard.press("]");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("gitea-1.26.1");
    for (let presses = 0; presses < 10; presses++) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement?.textContent)) === "Open the log") break;
    }
    await page.keyboard.press("Enter");
    await page.waitForURL("**/logs/3");
    await page.keyboard.press("[");
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent ?? "")).toMatch(/Error/);
    await page.keyboard.press("/");
    await page.keyboard.type("cannot use upstream");
    await page.keyboard.press("Enter");
    await page.waitForURL("**q=cannot*");
    expect(await page.textContent("[data-hits]")).toBe("1");
    await page.goBack();
    await page.goBack();
    await page.waitForURL("**/builds/*");
    await page.keyboard.press("g");
    await page.keyboard.press("b");
    await page.waitForURL("**/builds");
    await page.keyboard.press("?");
    expect(await page.isVisible("#help")).toBe(true);
  });

  test("the reason of a failure and the end of its log are one click away, and the derivation is there once", async ({
    sunday,
    window,
  }) => {
    const { page } = await openPage(window, `${sunday.url}/`);
    await page.click('[data-key="host:nixos-servers/backup"] a.reason');
    await page.waitForURL("**/builds/*");
    const cards = await page.evaluate(() =>
      [...document.querySelectorAll("[data-failure]")].map((card) => card.textContent ?? ""),
    );
    const gitea = cards.filter((text) => text.includes("gitea-1.26.1"));
    expect(gitea).toHaveLength(1);
    expect(gitea[0]).toContain("breaks 2 hosts: gitea, backup");
    expect(gitea[0]).toContain("cannot use upstream");
  });

  test("without JavaScript every page reads, and filters, order and windows are links and forms", async ({
    sunday,
    browser,
  }) => {
    const { scene } = sunday;
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    for (const path of paths) {
      await page.goto(addressOf(path, sunday), { waitUntil: "domcontentloaded" });
      expect((await page.innerText("main")).length).toBeGreaterThan(40);
      expect(await page.isVisible("noscript a")).toBe(true);
    }
    await page.goto(`${sunday.url}/`);
    await page.fill("#search", "dns");
    await page.click("text=Apply");
    await page.waitForURL("**q=dns*");
    expect(await page.locator("tbody tr").count()).toBe(2);
    await page.goto(`${sunday.url}/?sort=state`);
    expect(await page.innerText("tbody tr:first-child")).toContain("backup");
    await page.goto(`${sunday.url}/builds/${scene.failing}/logs/3`);
    await page.click("text=Previous");
    await page.waitForURL("**from=1200");
    expect(await page.innerText(".l:first-child .n")).toBe("1201");
    await page.fill('input[name="line"]', "7");
    await page.click("#jump button");
    await page.waitForURL("**line=7");
    expect(await page.innerText(".l:first-child .n")).toBe("1");
    await context.close();
  });

  test("what is not over is never said to be", async ({ sunday, window }) => {
    const { scene } = sunday;
    const { page } = await openPage(window, `${sunday.url}/builds/${scene.running.id}`);
    await expect.poll(() => page.innerText("main")).toContain("so far");
    const text = await page.innerText("main");
    expect(text).toContain("5 of 16 hosts done so far");
    expect(text).not.toMatch(/\btook\b|succeeded/i);
  });
});
