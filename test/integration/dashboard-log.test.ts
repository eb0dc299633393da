import { expect } from "vitest";
import type { Page } from "playwright-core";
import { openPage, withBrowser } from "../support/browser.ts";
import { storePath } from "../support/build-events.ts";
import { buildAt, type DashboardLab } from "../support/dashboard-lab.ts";
import { test } from "../support/dashboard.ts";
import type { BuildId } from "../../src/protocol/names.ts";

const million = 1_000_000;

async function buildWithLog(lab: DashboardLab, text: string, more: object = {}): Promise<BuildId> {
  const build = buildAt(new Date());
  await lab.tell(
    build
      .accepted(["web01"])
      .derivationFailed("big-1.0", ["web01"], { log: 1 })
      .hostsFinished("build-failed", ["web01"])
      .finished("failed"),
  );
  await lab.printLog(build.id, 1, text, { kind: "full", drvPath: storePath("big-1.0.drv"), ...more });
  return build.id;
}

withBrowser("logs", () => {
  test("a million lines: exact numbers everywhere, few of them in the page, and search as grep counts", async ({
    lab,
    window,
  }) => {
    const lines = Array.from({ length: million }, (_, index) =>
      (index + 1) % 10 === 0 ? `line ${index + 1} tenth of ten` : `line ${index + 1}`,
    );
    const id = await buildWithLog(lab, `${lines.join("\n")}\n`);
    await using dashboard = await lab.serve();
    const log = `${dashboard.url}/builds/${id}/logs/1`;
    const { page, complaints } = await openPage(window, log);
    const shown = async (): Promise<readonly [string, string, number]> =>
      page.evaluate(() => {
        const rows = [...document.querySelectorAll(".l")];
        const textOf = (row: Element | undefined): string => row?.querySelector(".t")?.textContent ?? "";
        return [textOf(rows[0]), textOf(rows.at(-1)), rows.length];
      });
    expect((await shown()).slice(1)).toEqual([`line ${million} tenth of ten`, 1000]);

    await page.goto(`${log}?from=0`);
    expect(await shown()).toEqual(["line 1", "line 1000 tenth of ten", 1000]);
    await page.goto(`${log}?line=500123`);
    expect((await shown()).slice(0, 2)).toEqual(["line 500001", "line 501000 tenth of ten"]);
    // A permalink lands in its window, wherever one comes from.
    await page.goto(`${log}#L999999`);
    await expect
      .poll(() => page.evaluate(() => document.querySelector(".l.here .t")?.textContent))
      .toBe("line 999999");
    await page.goto("about:blank");
    await page.goto(`${log}?from=0#L3`);
    await page.keyboard.press("G");
    await expect
      .poll(() => page.evaluate(() => document.querySelector(".l.here .t")?.textContent))
      .toBe(`line ${million} tenth of ten`);
    // Reading on fetches windows, and what is far away goes.
    await page.goto("about:blank");
    await page.goto(`${log}?from=0`);
    for (let last = 1000; last < 7000;) {
      await page.evaluate(() => {
        const view = document.querySelector("#lines");
        if (view !== null) view.scrollTop = view.scrollHeight;
      });
      await expect
        .poll(() =>
          page.evaluate(() =>
            Number(document.querySelector(".window:last-child .l:last-child")?.id.slice(1)),
          ),
        )
        .toBeGreaterThan(last);
      const [, , count] = await shown();
      expect(count).toBeLessThanOrEqual(4000);
      last += 1000;
    }

    const hits = async (query: string): Promise<string> => {
      await page.goto(`${log}?q=${encodeURIComponent(query)}`);
      return page.evaluate(
        () =>
          document.querySelector("[data-hits]")?.textContent ??
          document.querySelector(".nothing-title, .card")?.textContent ??
          "",
      );
    };
    expect(await hits("line 777777")).toBe("1");
    expect(await hits("no such text")).toBe("No line has that");
    // Only what matches, with its own numbers; a number leads to where it stands.
    await page.goto(`${log}?q=99999+tenth&only=1`);
    expect(await page.textContent(".nothing-title")).toBe("No line has that");
    await page.goto(`${log}?q=${encodeURIComponent("/^line \\d+99990/")}&only=1`);
    expect(await page.textContent("[data-hits]")).toBe("9");
    expect((await shown()).slice(0, 2)).toEqual(["line 199990 tenth of ten", "line 999990 tenth of ten"]);
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await expect
      .poll(() => page.evaluate(() => document.querySelector(".l.here .t")?.textContent))
      .toBe("line 999990 tenth of ten");
    expect(await hits("tenth")).toBe("100,000");
    expect(await hits("/^line 77777[0-9]( |$)/")).toBe("10");
    await page.click("[data-hit]");
    await expect
      .poll(() => page.evaluate(() => document.querySelector(".l.here .t")?.textContent))
      .toBe("line 777770 tenth of ten");
    expect(complaints).toEqual([]);
  });

  test("a log of what failed opens at the first failure, with and without scripts", async ({
    lab,
    browser,
    window,
  }) => {
    const lines = Array.from({ length: 5000 }, (_, index) => `line ${index + 1}`);
    lines[1233] = "main.c:7: \u001b[1;31merror:\u001b[0m this is it";
    lines[4990] = "make: *** [Makefile:1: all] Error 2";
    const id = await buildWithLog(lab, `${lines.join("\n")}\n`);
    await using dashboard = await lab.serve();
    const log = `${dashboard.url}/builds/${id}/logs/1`;
    const isSeen = async (page: Page, number: number): Promise<boolean> =>
      page.evaluate((line) => {
        const row = document.getElementById(`L${line}`)?.getBoundingClientRect();
        const view = document.querySelector("#lines")?.getBoundingClientRect();
        return row !== undefined && view !== undefined && row.top >= view.top && row.bottom <= view.bottom;
      }, number);
    const { page, complaints } = await openPage(window, log);
    await expect.poll(() => isSeen(page, 1234)).toBe(true);
    expect(await page.textContent(".about-log")).toContain("first failure in line 1,234");
    await page.goto(`${log}#L4000`);
    await expect.poll(() => isSeen(page, 4000)).toBe(true);
    await page.goto("about:blank");
    await page.goto(`${log}?from=4000`);
    expect(await isSeen(page, 4001)).toBe(true);
    expect(complaints).toEqual([]);
    await using plain = await browser.newContext({ javaScriptEnabled: false });
    const { page: still } = await openPage(plain, log);
    await expect.poll(() => isSeen(still, 1234)).toBe(true);
  });

  test("a pattern that would take forever ends with a message, and others are answered meanwhile", async ({
    lab,
    window,
  }) => {
    const id = await buildWithLog(lab, `${"a".repeat(60)}b\n`.repeat(3000));
    await using dashboard = await lab.serve();
    const log = `${dashboard.url}/builds/${id}/logs/1`;
    const slow = openPage(window, `${log}?q=${encodeURIComponent("/^(a+)+$/")}`);
    expect((await fetch(`${dashboard.url}/builds`)).status).toBe(200);
    const { page } = await slow;
    expect(await page.textContent('[data-key="hits"]')).toContain("took longer than 2 s and was stopped");
    await page.goto(`${log}?q=${encodeURIComponent("/(/")}`);
    expect(await page.textContent('[data-key="hits"]')).toContain("this is not a pattern");
  });

  test("only colours act: everything else that a log has in it is text", async ({ lab, window }) => {
    const lines = [
      "\u001b[31mred\u001b[0m \u001b[38;5;196mof 256\u001b[0m \u001b[38;2;0;200;0mtrue\u001b[0m",
      "\u001b]52;c;ZXZpbA==\u0007clipboard",
      "\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\",
      "\u001b[2J\u001b[H\u001b[999Bcursor",
      "\u009b31mC1",
      "bidi \u202egnp.exe",
      "<img src=x onerror=alert(1)>",
      "\u001b[38;5;mhalf\u001b[",
      `long ${"x".repeat(100_000)} end`,
    ];
    const id = await buildWithLog(lab, `${lines.join("\n")}\n`);
    await using dashboard = await lab.serve();
    const { page, complaints } = await openPage(window, `${dashboard.url}/builds/${id}/logs/1`);
    const shown = await page.evaluate(() =>
      [...document.querySelectorAll(".l .t")].map((line) => (line.textContent ?? "").slice(0, 60)),
    );
    expect(shown).toMatchInlineSnapshot(`
      [
        "red of 256 true",
        "␛clipboard",
        "␛link␛",
        "␛␛␛cursor",
        "C1",
        "bidi ␛gnp.exe",
        "<img src=x onerror=alert(1)>",
        "half␛",
        "long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      ]
    `);
    expect(
      await page.evaluate(() =>
        [...document.querySelectorAll(".l .t span")].map((span) => `${span.className} ${span.textContent}`),
      ),
    ).toEqual(["c1 red", "c9 of 256", "c2 true", "c1 C1", "c0 half␛"]);
    expect(
      await page.evaluate(() => document.querySelectorAll(".l img, .l a:not(.n):not(.whole)").length),
    ).toBe(0);
    const whole = await (await fetch(`${dashboard.url}/builds/${id}/logs/1/lines/9`)).text();
    expect(whole).toBe(`${lines[8]}\n`);
    expect(await (await fetch(`${dashboard.url}/builds/${id}/logs/1/raw`)).text()).toBe(
      `${lines.join("\n")}\n`,
    );
    expect(complaints).toEqual([]);
  });

  test("a log that is being written is followed, until one scrolls up", async ({ lab, window }) => {
    const build = buildAt(new Date());
    await lab.tell(build.accepted(["web01"]).building("web01"));
    const print = async (from: number, count: number): Promise<void> => {
      const text = Array.from({ length: count }, (_, index) => `step ${from + index}\n`).join("");
      await lab.printLog(build.id, 1, text, {
        index: Math.ceil(from / 100),
        drvPath: storePath("big-1.0.drv"),
      });
    };
    await print(1, 500);
    await using dashboard = await lab.serve();
    const { page } = await openPage(window, `${dashboard.url}/builds/${build.id}/logs/1`);
    const last = async (): Promise<string | null | undefined> =>
      page.evaluate(() => document.querySelector(".window:last-child .l:last-child .t")?.textContent);
    expect(await last()).toBe("step 500");
    await page.keyboard.press("f");
    await print(501, 3000);
    await expect.poll(last).toBe("step 3500");
    await page.evaluate(() => {
      const view = document.querySelector("#lines");
      if (view !== null) view.scrollTop -= 600;
    });
    await expect.poll(() => page.getAttribute("#follow", "aria-pressed")).toBe("false");
    await print(3501, 1204);
    await expect.poll(() => page.textContent("#new-lines")).toBe("1,204 new lines");
    await page.click("#new-lines");
    await expect.poll(last).toBe("step 4704");

    // Far behind, it goes to the end and does not load what lies between.
    await page.evaluate(() => {
      const view = document.querySelector("#lines");
      if (view !== null) view.scrollTop -= 600;
    });
    await expect.poll(() => page.getAttribute("#follow", "aria-pressed")).toBe("false");
    for (let at = 0; at < 10; at++) await print(4705 + at * 3000, 3000);
    await expect.poll(() => page.textContent("#new-lines")).toBe("30,000 new lines");
    let windows = 0;
    page.on("request", (request) => (windows += request.url().includes("?from=") ? 1 : 0));
    await page.click("#new-lines");
    await expect.poll(last).toBe("step 34704");
    expect(windows).toBeLessThan(5);
  });
});
