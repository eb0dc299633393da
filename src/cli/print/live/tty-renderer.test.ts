import fc from "fast-check";
import { expect, test } from "vitest";
import { hostRef, progressOf, sampleBuild, scriptBuild } from "../../../../test/support/build-events.ts";
import { createFakeClock, type FakeClock } from "../../../../test/support/fake-clock.ts";
import { createScreen, type Screen } from "../../../../test/support/screen.ts";
import type { BuildEvent } from "../../../protocol/events.ts";
import type { BuildProgress } from "../../../protocol/progress.ts";
import { createRenderer } from "../create-renderer.ts";
import type { BuildRenderer, RendererOptions } from "../renderer.ts";
import { createStyle } from "../style.ts";
import { displayWidth } from "../text-width.ts";

interface Stage {
  readonly screen: Screen;
  readonly clock: FakeClock;
  readonly renderer: BuildRenderer;
  /** Gives the script's new events to the renderer. */
  play(events: readonly BuildEvent[]): void;
  progress(progress: Partial<BuildProgress>): void;
  /** Lets a frame be drawn and gives what is on the screen. */
  frame(): Promise<string[]>;
}

function stage({
  columns = 80,
  rows = 24,
  colour = false,
  ascii = false,
  ...options
}: Partial<RendererOptions> & {
  readonly columns?: number;
  readonly rows?: number;
  readonly colour?: boolean;
  readonly ascii?: boolean;
} = {}): Stage {
  const screen = createScreen(columns, rows);
  const clock = createFakeClock();
  const style = createStyle({ colour, ascii });
  const renderer = createRenderer("tty", {
    out: screen,
    err: screen,
    outStyle: style,
    errStyle: style,
    clock,
    keyHint: "Ctrl-C detaches",
    ...options,
  });
  let played = 0;
  renderer.start(sampleBuild);
  return {
    screen,
    clock,
    renderer,
    play(events) {
      for (const event of events.slice(played)) renderer.message({ type: "event", event });
      played = events.length;
    },
    progress: (progress) => renderer.message({ type: "progress", progress: progressOf(progress) }),
    async frame() {
      await clock.advance(100);
      return screen.visible();
    },
  };
}

const fleet = ["testvm01", "web01", "gitea", "nas", "router", "media"];

const building = (): Partial<BuildProgress> => ({
  builds: { done: 12, running: 2, failed: 0, total: 34 },
  fetches: { done: 54, total: 180 },
  running: [
    { name: "linux-6.18.4", phase: "buildPhase", elapsedMs: 72_000, host: hostRef("web01") },
    { name: "gitea-1.26.1", elapsedMs: 4000, host: hostRef("gitea") },
  ],
  hosts: [
    { ...hostRef("web01"), built: 2, toBuild: 4 },
    { ...hostRef("gitea"), built: 1, toBuild: 5 },
  ],
});

const halfWay = (): ReturnType<typeof scriptBuild> =>
  scriptBuild()
    .accepted(fleet, { requestedBy: "kai" })
    .evaluated("testvm01", "web01", "gitea", "nas")
    .building("testvm01", "web01", "gitea")
    .hostsFinished("built", ["testvm01"], { durationMs: 73_000 });

test("before a builder has it: what we wait for", async () => {
  const { frame, clock, progress } = stage();
  expect(await frame()).toMatchInlineSnapshot(`
    [
      "┏━ Build 01JDB3K2M4N5P6Q7R8S9T0V1W2",
      "┃ waiting for a builder",
      "┗━ 0s so far  Ctrl-C detaches",
    ]
  `);
  progress({ note: "fetching nixos-servers (attempt 2 of 3)" });
  await clock.advance(4000);
  expect(await frame()).toMatchInlineSnapshot(`
    [
      "┏━ Build 01JDB3K2M4N5P6Q7R8S9T0V1W2",
      "┃ fetching nixos-servers (attempt 2 of 3)",
      "┗━ 4s so far  Ctrl-C detaches",
    ]
  `);
});

test("while it evaluates and builds", async () => {
  const { frame, play, progress } = stage();
  play(halfWay().events);
  progress({ ...building(), evaluations: { done: 4, total: 6, running: [hostRef("router")] } });
  expect(await frame()).toMatchInlineSnapshot(`
    [
      "┏━ Build 01JDB3K2M4N5P6Q7R8S9T0V1W2 · nixos-servers@9c41e7f on cache · 6 hosts",
      "┃ evaluated 4 of 6: router",
      "┃ built 12 of 34 derivations, fetched 54 of 180",
      "┃ ▶ web01     █████░░░░░ 2/4     linux-6.18.4 buildPhase                 1m12s",
      "┃ ▶ gitea     ██░░░░░░░░ 1/5     gitea-1.26.1                               4s",
      "┃ · nas       waiting to be built",
      "┃ · router    evaluating",
      "┃ · media     waiting to be evaluated",
      "┃ ✓ testvm01  built                                                      1m13s",
      "┗━ ▶ 2 building  · 3 waiting  ✓ 1 done  0s so far  Ctrl-C detaches",
    ]
  `);
});

test("the same in ASCII", async () => {
  const { frame, play, progress } = stage({ ascii: true });
  play(halfWay().events);
  progress(building());
  const lines = await frame();
  expect(lines).toMatchInlineSnapshot(`
    [
      ",- Build 01JDB3K2M4N5P6Q7R8S9T0V1W2 - nixos-servers@9c41e7f on cache - 6 hosts",
      "| built 12 of 34 derivations, fetched 54 of 180",
      "| > web01     #####----- 2/4     linux-6.18.4 buildPhase                 1m12s",
      "| > gitea     ##-------- 1/5     gitea-1.26.1                               4s",
      "| . nas       waiting to be built",
      "| . router    waiting to be evaluated",
      "| . media     waiting to be evaluated",
      "| + testvm01  built                                                      1m13s",
      "\`- > 2 building  . 3 waiting  + 1 done  0s so far  Ctrl-C detaches",
    ]
  `);
  expect(lines.join("")).toMatch(/^[ -~]*$/);
});

test("with 120 columns there is room for who asked", async () => {
  const { frame, play, progress } = stage({ columns: 120, rows: 40 });
  play(halfWay().events);
  progress(building());
  expect(await frame()).toMatchInlineSnapshot(`
    [
      "┏━ Build 01JDB3K2M4N5P6Q7R8S9T0V1W2 · nixos-servers@9c41e7f on cache · 6 hosts · requested by kai",
      "┃ built 12 of 34 derivations, fetched 54 of 180",
      "┃ ▶ web01     █████░░░░░ 2/4     linux-6.18.4 buildPhase                                                   1m12s",
      "┃ ▶ gitea     ██░░░░░░░░ 1/5     gitea-1.26.1                                                                 4s",
      "┃ · nas       waiting to be built",
      "┃ · router    waiting to be evaluated",
      "┃ · media     waiting to be evaluated",
      "┃ ✓ testvm01  built                                                                                        1m13s",
      "┗━ ▶ 2 building  · 3 waiting  ✓ 1 done  0s so far  Ctrl-C detaches",
    ]
  `);
});

const withHistory = (): Partial<BuildProgress> => ({
  ...building(),
  running: [
    {
      name: "linux-6.18.4",
      phase: "buildPhase",
      elapsedMs: 72_000,
      usualMs: 420_000,
      host: hostRef("web01"),
    },
    { name: "gitea-1.26.1", elapsedMs: 4000, usualMs: 3000, host: hostRef("gitea") },
    { name: "systemd-259", elapsedMs: 2000, host: hostRef("nas") },
  ],
});

test("how long it usually takes, and what is left", async () => {
  const { frame, play, progress } = stage({ columns: 120 });
  play(halfWay().building("nas").events);
  progress(withHistory());
  expect((await frame()).slice(2, 5)).toMatchInlineSnapshot(`
    [
      "┃ ▶ web01     █████░░░░░ 2/4     linux-6.18.4 buildPhase                            1m12s ∅ 7m00s ~5m48s left",
      "┃ ▶ gitea     ██░░░░░░░░ 1/5     gitea-1.26.1                                          4s ∅ 3s longer than usual",
      "┃ ▶ nas       systemd-259                                                              2s",
    ]
  `);
});

test("on which machine a derivation is built, where that is not the builder", async () => {
  const { frame, play, progress } = stage();
  play(halfWay().building("nas").events);
  const running = withHistory().running?.map((each) => ({ ...each, usualMs: undefined })) ?? [];
  progress({ ...withHistory(), running: running.map((each) => ({ ...each, machine: "ssh://arm1" })) });
  expect((await frame()).slice(2, 5)).toMatchInlineSnapshot(`
    [
      "┃ ▶ web01     █████░░░░░ 2/4     linux-6.18.4 on arm1 buildPhase         1m12s",
      "┃ ▶ gitea     ██░░░░░░░░ 1/5     gitea-1.26.1 on arm1                       4s",
      "┃ ▶ nas       systemd-259 on arm1                                           2s",
    ]
  `);
});

test("with 80 columns as much of it as leaves room for names", async () => {
  const { frame, play, progress, clock } = stage({ ascii: true });
  play(halfWay().building("nas").events);
  progress({ ...withHistory(), running: withHistory().running?.slice(0, 1) ?? [] });
  expect((await frame())[2]).toMatchInlineSnapshot(
    `"| > web01     #####----- 2/4     linux-6.18.4 bu~  1m12s avg 7m00s ~5m48s left"`,
  );
  await clock.advance(360_000);
  expect((await frame())[2]).toMatchInlineSnapshot(
    `"| > web01     #####----- 2/4     linux-6.18.4 buildP~  7m12s longer than usual"`,
  );
});

test("colours change nothing but the colours", async () => {
  const plain = stage();
  const coloured = stage({ colour: true });
  for (const { play, progress } of [plain, coloured]) {
    play(halfWay().events);
    progress(building());
  }
  expect(await coloured.frame()).toEqual(await plain.frame());
  expect(coloured.screen.writes.join("")).toContain("\u001b[36m");
  expect(plain.screen.writes.join("")).not.toMatch(/\u001b\[\d+m/);
});

test("the clocks move once a second, and only the lines with a clock are written", async () => {
  const { frame, play, progress, clock, screen } = stage();
  play(halfWay().events);
  progress(building());
  await frame();
  const before = screen.writes.length;
  await clock.advance(3000);
  expect(screen.writes.length - before).toBe(3);
  expect(screen.writes.at(-1)).not.toContain("testvm01");
  expect((await screen.visible()).join("\n")).toContain("1m15s");
});

test("however many messages come, there are at most 16 frames a second, each one write", async () => {
  const { play, progress, clock, screen } = stage();
  play(halfWay().events);
  for (let i = 0; i < 1000; i++) {
    progress({ builds: { done: i, running: 1, failed: 0, total: 1000 } });
    await clock.advance(1);
  }
  expect(screen.writes.length).toBeLessThanOrEqual(17);
  for (const write of screen.writes) expect(write).toMatch(/^\u001b\[\?2026h.*\u001b\[\?2026l$/s);
});

test("nothing is written when nothing changed", async () => {
  const { frame, renderer, screen } = stage();
  await frame();
  const before = screen.writes.length;
  renderer.resize();
  await frame();
  expect(screen.writes.length).toBe(before);
});

test("a thousand hosts: what failed and what is built, and the rest as numbers", async () => {
  const names = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  const { clock, frame, play, progress, screen } = stage();
  const script = scriptBuild().accepted(names);
  script.evaluated(...names.slice(0, 500)).building(...names.slice(0, 4));
  script.hostsFinished("built", names.slice(100, 161));
  script.hostsFinished("build-failed", ["web3"], {
    reason: "gitea-1.26.1: builder failed",
    durationMs: 9000,
  });
  play(script.events);
  progress({
    running: [{ name: "linux-6.18.4", elapsedMs: 5000, host: hostRef("web2") }],
    evaluations: { done: 500, total: 1000, running: names.slice(500, 520).map(hostRef) },
  });
  expect(await frame()).toMatchInlineSnapshot(`
    [
      "┏━ Build 01JDB3K2M4N5P6Q7R8S9T0V1W2 · nixos-servers@9c41e7f on cache",
      "┃ evaluated 500 of 1000: web500, web501, web502, web503, web504, web505, web50…",
      "┃ ✗ web3    build failed: gitea-1.26.1: builder failed                      9s",
      "┃ ▶ web2    linux-6.18.4                                                    5s",
      "┃ ▶ web0    building",
      "┃ ▶ web1    building",
      "┃ … 996 more   · 935  ✓ 61",
      "┗━ ✗ 1 failed  ▶ 3 building  · 935 waiting  ✓ 61 done  0s so far",
    ]
  `);
  play(script.building(...names.slice(200, 400)).events);
  await clock.advance(250);
  const crowded = await frame();
  expect(crowded).toHaveLength(23);
  expect(crowded.at(-2)).toMatchInlineSnapshot(`"┃ … 981 more   ▶ 185  · 735  ✓ 61"`);
  expect(screen.rows).toBe(24);
});

test("a block that shrinks leaves nothing behind, and lines above it stay", async () => {
  const { frame, play, progress, renderer } = stage();
  renderer.notice("submitted");
  play(halfWay().events);
  progress({ ...building(), evaluations: { done: 4, total: 6, running: [] } });
  const tall = await frame();
  progress({});
  const short = await frame();
  expect(short).toHaveLength(tall.length - 2);
  expect(short[0]).toBe("submitted");
  expect(short.at(-1)).toContain("┗━");
});

test("logs scroll by above the block, whole and without anything that moves the cursor", async () => {
  const { frame, play, renderer } = stage({ buildLogs: true });
  play(halfWay().events);
  await frame();
  const chunk = {
    build: sampleBuild,
    log: 1,
    index: 0,
    drvPath: "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-linux-6.18.4.drv",
    kind: "live" as const,
    dropped: 0,
  };
  renderer.message({
    type: "log",
    chunk: { ...chunk, text: "CC a.o\n10 %\r20 %\nx\u001b[2J\u001b[1;1Hy\n" },
  });
  renderer.message({ type: "log", chunk: { ...chunk, index: 1, dropped: 7, text: `${"z".repeat(100)}\n` } });
  renderer.message({ type: "log", chunk: { ...chunk, index: 2, kind: "full", text: "again\n" } });
  const lines = await frame();
  expect(lines.slice(0, 6)).toMatchInlineSnapshot(`
    [
      "linux-6.18.4> CC a.o",
      "linux-6.18.4> 20 %",
      "linux-6.18.4> xy",
      "linux-6.18.4> 7 lines were dropped here",
      "linux-6.18.4> zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
      "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    ]
  `);
  expect(lines.filter((line) => line.startsWith("┏━"))).toHaveLength(1);
  expect(lines.join("\n")).not.toContain("again");
});

test("without -L no log is shown", async () => {
  const { frame, renderer } = stage();
  renderer.message({
    type: "log",
    chunk: { build: sampleBuild, log: 1, index: 0, drvPath: "x", kind: "live", dropped: 0, text: "CC a.o\n" },
  });
  expect((await frame()).join("\n")).not.toContain("CC a.o");
});

test("a terminal that gets narrower, wider, lower and higher shows one whole block", async () => {
  const { frame, play, progress, renderer, screen } = stage({ columns: 120, rows: 40 });
  renderer.notice("a line above");
  play(halfWay().events);
  progress(building());
  await frame();
  for (const [columns, rows] of [
    [60, 40],
    [120, 40],
    [40, 30],
    [80, 24],
    [100, 40],
  ] as const) {
    await screen.resize(columns, rows);
    renderer.resize();
    const lines = await frame();
    expect(lines.filter((line) => line.includes("Build 01JD"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("┗━"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("linux-6.18") || line.includes("web01"))).toHaveLength(1);
    expect(lines.at(-1)).toContain("┗━");
    expect(lines[0]).toBe("a line above");
    for (const line of lines) expect(displayWidth(line)).toBeLessThan(columns);
  }
});

test("a terminal that became too low is filled, not flooded, down to the line that counts", async () => {
  const { frame, play, renderer, screen } = stage();
  play(halfWay().events);
  await frame();
  for (const rows of [6, 5, 3, 2]) {
    await screen.resize(80, rows);
    renderer.resize();
    const lines = await frame();
    expect(lines.length).toBe(rows > 3 ? rows - 1 : 1);
    expect(lines.filter((line) => line.includes("Build 01JD"))).toHaveLength(rows > 3 ? 1 : 0);
    expect(lines.at(-1)).toContain("so far");
  }
});

test("what somebody types does not stay in the picture", async () => {
  const { frame, screen, clock } = stage();
  await frame();
  screen.write("^Cabc");
  await clock.advance(2000);
  expect((await screen.visible()).join("\n")).not.toContain("^C");
});

test("the summary takes the place of the block", async () => {
  const { frame, play, renderer, screen, clock } = stage();
  const script = halfWay();
  play(script.events);
  await frame();
  expect((await screen.cursor()).hidden).toBe(true);
  script.wait(255_000).hostsFinished("unchanged", fleet.slice(1)).finished("succeeded");
  play(script.events);
  renderer.finish(script.state);
  expect(await screen.everything()).toMatchInlineSnapshot(`
    [
      "  Host      Result        Time",
      "  testvm01  ✓ built      1m13s",
      "  web01     ✓ unchanged  4m15s",
      "  gitea     ✓ unchanged  4m15s",
      "  nas       ✓ unchanged  4m15s",
      "  router    ✓ unchanged  4m15s",
      "  media     ✓ unchanged  4m15s",
      "",
      "✓ 6 hosts succeeded in 4m15s (1 built, 5 unchanged)",
    ]
  `);
  expect((await screen.cursor()).hidden).toBe(false);
  expect(clock.sleepers).toBe(0);
});

test("a warning that comes right before the end is not lost", async () => {
  const { play, renderer, screen } = stage();
  const script = scriptBuild().accepted(["web01"]).event({ type: "warning", message: "late" });
  play(script.hostsFinished("built", ["web01"]).finished("succeeded").events);
  renderer.finish(script.state);
  expect((await screen.everything())[0]).toBe("warning: late");
});

test("where the summary goes to a file the terminal still gets the sentence", async () => {
  const file: string[] = [];
  const { renderer, screen } = stage({ out: { write: (text: string) => file.push(text) } });
  const script = scriptBuild().accepted(["web01"]).hostsFinished("built", ["web01"]).finished("succeeded");
  renderer.finish(script.state);
  expect(file.join("")).toContain("✓ 1 host succeeded");
  expect(await screen.everything()).toEqual(["1 host succeeded in 0s (1 built)"]);
});

test("an interrupt leaves the last state on the screen and gives the cursor back", async () => {
  const { frame, play, renderer, screen, clock } = stage();
  play(halfWay().events);
  await frame();
  renderer.interrupted();
  renderer.interrupted();
  const { hidden, column } = await screen.cursor();
  expect({ hidden, column }).toEqual({ hidden: false, column: 0 });
  const lines = await screen.visible();
  expect(lines.at(-1)).toMatch(/^┗━.*so far$/);
  const writes = screen.writes.length;
  play(halfWay().building("nas").events);
  await clock.advance(5000);
  expect(screen.writes.length).toBe(writes);
  expect(clock.sleepers).toBe(0);
  renderer.notice("detached");
  expect((await screen.visible()).at(-1)).toBe("detached");
});

test("a build that ends after an interrupt still has its summary, and no block", async () => {
  const { frame, play, renderer, screen } = stage();
  const script = halfWay();
  play(script.events);
  await frame();
  renderer.interrupted();
  play(script.finished("cancelled").events);
  renderer.finish(script.state);
  const lines = await screen.everything();
  expect(lines.filter((line) => line.startsWith("┏━"))).toHaveLength(1);
  expect(lines.at(-1)).toContain("Cancelled after 0s");
});

test("a lost connection is said, and that the build continues", async () => {
  const { frame, play, renderer } = stage();
  play(halfWay().events);
  renderer.message({ type: "connection", connected: false });
  expect((await frame())[1]).toBe("┃ ! no connection to NATS, trying again; the build continues");
  renderer.message({ type: "connection", connected: true });
  expect((await frame()).join("\n")).not.toContain("no connection");
});

test("attached to a build that runs for a while, the clock says so", async () => {
  const { frame, play, clock } = stage();
  await clock.advance(600_000);
  play(halfWay().events);
  expect((await frame()).at(-1)).toContain("10m00s so far");
});

const hostile = fc.string({
  unit: fc.constantFrom(
    "\u001b",
    "]52;c;A",
    "[2J",
    "[9A",
    "\u0007",
    "\r",
    "\n",
    "\u202e",
    "\u009b",
    "日",
    "x",
    "\t",
  ),
  maxLength: 30,
});

test("nothing from outside moves the cursor or makes a line wider than the terminal", async () => {
  await fc.assert(
    fc.asyncProperty(hostile, hostile, fc.integer({ min: 1, max: 120 }), async (name, text, columns) => {
      const { frame, play, progress, screen } = stage({ columns, rows: 12 });
      const script = scriptBuild().accepted(["web01", "nas"], { requestedBy: text }).building("web01");
      play(script.hostsFinished("eval-failed", ["nas"], { reason: text }).events);
      progress({ note: text, running: [{ name, phase: text, elapsedMs: 5000, host: hostRef("web01") }] });
      const lines = await frame();
      expect(lines.length).toBeLessThanOrEqual(6);
      for (const write of screen.writes) {
        for (const line of write.replace(/\u001b\[\??[0-9;]*[ABKlhm]|\r/g, "").split("\n")) {
          expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
          expect(displayWidth(line)).toBeLessThan(Math.max(columns, 2));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("a terminal that does not know its size is taken for one of 80 by 24", async () => {
  const written: string[] = [];
  const err = { columns: 0, rows: 0, write: (text: string) => written.push(text) };
  const { clock, play } = stage({ err });
  play(halfWay().events);
  await clock.advance(2000);
  expect(written[0]).toContain("nixos-servers@9c41e7f on cache");
  expect(written[1]).not.toContain("testvm01");
});

test("with -v the derivations that start scroll by above the block", async () => {
  const { screen, frame, play, progress } = stage({ detail: "verbose" });
  play(scriptBuild().accepted(["web01"]).building("web01").events);
  const linux = { name: "linux-6.18.4", elapsedMs: 100, host: hostRef("web01") };
  progress({ running: [linux] });
  progress({
    running: [
      { ...linux, elapsedMs: 200 },
      { name: "gitea-1.26.1", elapsedMs: 20 },
    ],
  });
  await frame();
  const lines = await screen.everything();
  expect(lines.slice(0, 2)).toEqual(["building linux-6.18.4", "building gitea-1.26.1"]);
  expect(lines[2]).toMatch(/^┏━ Build/);
});

test("with -q there is no live view, only the summary", async () => {
  const quiet = stage({ detail: "quiet" });
  const script = scriptBuild().accepted(["web01"]).hostsFinished("built", ["web01"]).finished("succeeded");
  quiet.play(script.events);
  expect(await quiet.frame()).toEqual([]);
  quiet.renderer.finish(script.state);
  expect((await quiet.screen.visible())[0]).toMatch(/Host +Result/);
});

test("Ctrl-Z gives the terminal back, and fg draws the block again", async () => {
  const { screen, frame, play, clock, renderer } = stage();
  play(halfWay().events);
  const before = await frame();
  renderer.terminal?.leave();
  expect(await screen.visible()).toEqual([]);
  expect((await screen.cursor()).hidden).toBe(false);
  screen.write("[1]+  Stopped\n$ fg\n");
  // Timers that ran out meanwhile come before the signal.
  await clock.advance(1000);
  renderer.terminal?.enter();
  const later = before.map((line) => line.replace("0s so far", "1s so far"));
  expect(await frame()).toEqual(["[1]+  Stopped", "$ fg", ...later]);
  expect((await screen.cursor()).hidden).toBe(true);
  renderer.interrupted();
  const after = screen.writes.length;
  renderer.terminal?.enter();
  await clock.advance(5000);
  expect(screen.writes.length).toBe(after);
});

test("a block that others have written over is drawn below what they wrote", async () => {
  const { screen, frame, play, renderer } = stage();
  play(halfWay().events);
  const before = await frame();
  screen.write("$ kill -CONT\n");
  renderer.terminal?.enter();
  expect(await frame()).toEqual([...before, "$ kill -CONT", ...before]);
});

test("how long it will take, and who waits for a slot; a guess that was too short is given up", async () => {
  const { play, progress, frame, clock } = stage();
  play(halfWay().events);
  progress({
    ...building(),
    builds: { done: 12, running: 2, failed: 0, total: 34, leftMs: 200_000 },
    hosts: [
      { ...hostRef("web01"), built: 2, toBuild: 4 },
      { ...hostRef("gitea"), built: 1, toBuild: 5, waitsForSlot: true },
    ],
  });
  const lines = await frame();
  expect(lines.find((line) => line.includes("derivations"))).toBe(
    "┃ built 12 of 34 derivations, fetched 54 of 180, ~3m20s left",
  );
  expect(lines.find((line) => line.includes("gitea"))).toMatch(/^┃ · gitea .* 1\/5 +waiting for a slot$/);
  expect(lines.at(-1)).toContain("▶ 1 building  · 4 waiting (1 for a slot)  ✓ 1 done");
  await clock.advance(201_000);
  expect((await frame()).find((line) => line.includes("derivations"))).toBe(
    "┃ built 12 of 34 derivations, fetched 54 of 180",
  );
});
