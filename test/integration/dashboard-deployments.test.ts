import type { Page } from "playwright-core";
import { expect } from "vitest";
import { openPage, withBrowser } from "../support/browser.ts";
import { scriptDeployments } from "../support/deploy-events.ts";
import { orderId } from "../support/deploy-orders.ts";
import { tellDeployments } from "../support/deploy-scene.ts";
import { someHostState } from "../support/fake-deploy-bus.ts";
import { playRollout } from "../support/played-rollout.ts";
import { aRolloutId } from "../support/rollout-events.ts";
import { test } from "../support/dashboard.ts";

const commit = "9c41e7f".padEnd(40, "0");
const cells = async (page: Page, host: string): Promise<readonly string[]> =>
  page.evaluate(
    (name) =>
      [...document.querySelectorAll(`[data-key$="/${name}"] td`)].map((cell) => cell.textContent ?? ""),
    host,
  );

withBrowser("deployments", () => {
  test("Fleet shows what runs where, in the words of `hosts`, and filters by it", async ({ lab, window }) => {
    await lab.builderIsHere("cache-host");
    await tellDeployments(lab, { now: new Date(), commit });
    await using dashboard = await lab.serve();
    const { page, complaints } = await openPage(window, `${dashboard.url}/`);
    await expect.poll(() => cells(page, "dns01")).toEqual(expect.arrayContaining(["ok", "9c41e7f"]));
    expect((await cells(page, "web01"))[0]).toBe("rolled back");
    expect((await cells(page, "nas")).slice(0, 2)).toEqual([
      "reboot needed: kernel, initrd",
      "9c41e7f (booted another)",
    ]);
    expect((await cells(page, "gitea")).slice(0, 2)).toEqual(["drift: hand-made", "hand-made (26.05pre)"]);
    expect((await cells(page, "media"))[0]).toBe("held: no deploys before the fair");
    expect((await cells(page, "laptop"))[0]).toBe("absent");
    expect(await page.title()).toContain("✗ 1 failed");
    expect(await page.textContent(".health")).toContain("the last deploy of 1 host failed");
    await page.click(".tile:has-text('drifted')");
    await expect.poll(() => page.evaluate(() => document.querySelectorAll("tbody tr").length)).toBe(1);
    expect(complaints).toEqual([]);
  });

  test("a rollout is seen as it goes: in the list, on its page, on Fleet and on Host", async ({
    lab,
    window,
  }) => {
    await lab.hostIs(someHostState({ at: new Date().toISOString() }));
    await using dashboard = await lab.serve();
    const { page: list, complaints } = await openPage(window, `${dashboard.url}/rollouts`);
    await expect.poll(() => list.textContent("main")).toContain("No rollouts yet");
    expect((await fetch(`${dashboard.url}/rollouts/${aRolloutId(9)}`)).status).toBe(404);

    const played = playRollout().canary().add(644, { type: "wave-started", wave: 1 }).orders(645, "web01");
    await lab.tellRollout(played.events);
    await expect.poll(() => list.textContent("tbody tr")).toContain("deploying web01");
    const { page: fleet } = await openPage(window, `${dashboard.url}/`);
    const { page: host } = await openPage(window, `${dashboard.url}/hosts/nixos-servers/web01`);
    for (const shown of [fleet, host]) {
      await expect.poll(() => shown.textContent('[data-key="rollouts"]')).toContain("deploying web01");
    }
    await list.click("tbody a");
    await list.waitForURL(`**/rollouts/${played.id}`);
    const rowOf = async (name: string): Promise<string | null> =>
      list.textContent(`[data-key="wave-host:${name}"]`);
    expect(await rowOf("web02")).toContain("waits for web01 (role web, one at a time)");
    // Nothing of its page is loaded again: news brings it.
    await list.evaluate(() => void (document.body.dataset["same"] = "yes"));

    played.ends(660, "web01", { outcome: "rolled-back", code: "UNHEALTHY", detail: "gitea.service failed" });
    played.add(661, { type: "halted", code: "HOSTS_FAILED", detail: "1 host failed", host: "web01" });
    await lab.tellRollout(played.events);
    await expect.poll(() => rowOf("web01")).toContain("rolled back: gitea.service failed (UNHEALTHY)");
    await expect.poll(() => list.textContent(".lead")).toBe("halted: 1 host failed");
    expect(await list.textContent(".card.bad")).toContain("more hosts failed than allowed");
    await expect.poll(() => fleet.textContent('[data-key="rollouts"]')).toContain("halted: 1 host failed");
    // Wherever one is, and on Health.
    for (const { page } of [{ page: list }, { page: fleet }, { page: host }]) {
      await expect.poll(() => page.textContent(".health")).toContain("a rollout of nixos-servers is halted");
    }
    const health = await (await fetch(`${dashboard.url}/health`)).text();
    expect(health).toContain("1 is halted");
    expect(health).toContain(`href="/rollouts/${played.id}"`);
    const commands = async (): Promise<string | null> => list.textContent('[data-key="commands"]');
    expect(await commands()).toContain(`homelab-deploy rollouts resume ${played.id}`);

    await lab.tellRollout(played.add(700, { type: "finished", outcome: "failed" }).events);
    await expect.poll(commands).toContain(`homelab-deploy rollouts retry ${played.id}`);
    await expect.poll(() => fleet.evaluate(() => document.querySelector('[data-key="rollouts"]'))).toBe(null);
    expect(await list.getAttribute("body", "data-same")).toBe("yes");
    expect(complaints).toEqual([]);
  });

  test("a deployment is seen as it goes, on Fleet and on Host", async ({ lab, window }) => {
    const at = (): string => new Date().toISOString();
    const say = async (seq: number, more: object): Promise<void> =>
      lab.hostIs(someHostState({ at: at(), seq, ...more }));
    await say(1, {});
    await using dashboard = await lab.serve();
    const { page } = await openPage(window, `${dashboard.url}/`);
    const { page: host } = await openPage(window, `${dashboard.url}/hosts/nixos-servers/web01`);
    await expect.poll(async () => (await cells(page, "web01"))[0]).toBe("ok");
    expect(await host.textContent('[data-key="deployments"]')).toContain("No deployment");

    const script = scriptDeployments({ start: at() }).add("received").add("fetching");
    await lab.tellDeployment(script.events);
    await say(2, { order: { id: orderId(1), serial: 1, phase: "fetching" } });
    await expect.poll(async () => (await cells(page, "web01"))[0]).toBe("fetching");
    await expect.poll(() => host.textContent('[data-key="deployments"]')).toContain("fetching");
    // What goes on is never shown as over.
    expect(await host.textContent('[data-key="deployments"] summary')).not.toContain("completed");

    const told = script.events.length;
    script.add("fetched").add("ready").add("activating").add("checking");
    script.add("checked", {
      checks: [{ name: "https://web01.lan/", ok: false, ms: 40, detail: "HTTP status 502", critical: true }],
    });
    script.add("rolling-back").add("finished", { outcome: "rolled-back" });
    await lab.tellDeployment(script.events.slice(told));
    await say(3, { last: { order: orderId(1), outcome: "rolled-back", code: "UNHEALTHY", at: at() } });
    await expect.poll(async () => (await cells(page, "web01"))[0]).toBe("rolled back");
    await expect
      .poll(() => host.textContent('[data-key="deployments"]'))
      .toContain("rolled back: gitea.service failed (UNHEALTHY)");
    const shown = (await host.textContent('[data-key="deployments"]')) ?? "";
    for (const text of ["fetching", "checking", "rolling-back", "HTTP status 502", "by kai"]) {
      expect(shown).toContain(text);
    }
    // What the activation printed is a click away, whole, and opens where it failed.
    const printed = `${"setting up /etc\n".repeat(1500)}error: unit gitea.service failed\n`;
    await lab.printOutput(someHostState({}), orderId(1), 0, printed.slice(0, 20_000));
    await lab.printOutput(someHostState({}), orderId(1), 1, printed.slice(20_000));
    const { page: output, complaints } = await openPage(window, host.url());
    await output.click("text=Open its output");
    await output.waitForURL(`**/deployments/nixos-servers/web01/${orderId(1)}/log`);
    expect(await output.textContent("h1")).toBe("Activation on web01");
    expect(await output.textContent(".about-log")).toMatch(/rolled back.*1,501 lines.*in line 1,501/s);
    expect(await output.textContent(".l.failure .t")).toBe("error: unit gitea.service failed");
    expect(await (await fetch(`${output.url()}/raw`)).text()).toBe(printed);
    expect((await fetch(output.url().replace(orderId(1), orderId(9)))).status).toBe(404);
    expect((await fetch(`${output.url().replace(orderId(1), orderId(9))}/raw`)).status).toBe(404);
    expect(complaints).toEqual([]);
    const commands = (await host.textContent('[data-key="commands"]')) ?? "";
    expect(commands).toContain("homelab-deploy deploy nixos-servers/web01");
    expect(commands).toContain("homelab-deploy hosts hold nixos-servers/web01 --reason");
  });
});
