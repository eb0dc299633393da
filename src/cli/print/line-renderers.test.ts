// The renderers that write lines, each over the same scripted build.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import {
  hostRef,
  progressOf,
  sampleBuild,
  scriptBuild,
  storePath,
  type BuildScript,
} from "../../../test/support/build-events.ts";
import { createFakeClock, type FakeClock } from "../../../test/support/fake-clock.ts";
import type { LogChunk } from "../../protocol/log-chunk.ts";
import { parseBuilderName, parseRepoName } from "../../protocol/names.ts";
import { createRenderer } from "./create-renderer.ts";
import type { OutputMode } from "./output-mode.ts";
import type { BuildRenderer, RendererOptions } from "./renderer.ts";
import { createStyle } from "./style.ts";

interface Recorder {
  readonly renderer: BuildRenderer;
  readonly clock: FakeClock;
  out(): string;
  err(): string;
  play(script: BuildScript): void;
  log(chunk: Partial<LogChunk>): void;
}

function record(
  mode: OutputMode,
  options: Partial<RendererOptions> & { readonly colour?: boolean } = {},
): Recorder {
  const written = { out: "", err: "" };
  const clock = createFakeClock();
  const style = createStyle({ colour: options.colour === true, ascii: false });
  const renderer = createRenderer(mode, {
    out: { write: (text) => (written.out += text) },
    err: { write: (text) => (written.err += text) },
    outStyle: style,
    errStyle: style,
    clock,
    randomToken: () => "b6f1c0de",
    ...options,
  });
  let played = 0;
  renderer.start(sampleBuild);
  return {
    renderer,
    clock,
    out: () => written.out,
    err: () => written.err,
    play(script) {
      for (const event of script.events.slice(played)) renderer.message({ type: "event", event });
      played = script.events.length;
    },
    log: (chunk) =>
      renderer.message({
        type: "log",
        chunk: {
          build: sampleBuild,
          log: 1,
          index: 0,
          drvPath: storePath("linux-6.18.4.drv"),
          kind: "live",
          dropped: 0,
          text: "",
          ...chunk,
        },
      }),
  };
}

const nixosServers = parseRepoName("nixos-servers");

/** One of everything. */
const eventful = (): BuildScript =>
  scriptBuild()
    .accepted(["testvm01", "web01", "gitea", "nas", "router", "media"], {
      skipped: [{ repo: nixosServers, host: "pi", reason: "no builder for aarch64-linux" }],
    })
    .wait(2000)
    .evaluated("testvm01", "web01", "gitea", "nas", "router")
    .building("testvm01", "web01")
    .wait(3000)
    .hostsFinished("eval-failed", ["media"], { reason: "The option `services.foo' does not exist." })
    .wait(60_000)
    .event({
      type: "retrying",
      hosts: [hostRef("nas")],
      reason: "no space left",
      attempt: 2,
      delayMs: 30_000,
    })
    .event({ type: "warning", message: "left out cachix.org: no answer" })
    .event({ type: "resumed", builder: parseBuilderName("cache") })
    .wait(42_000)
    .derivationFailed("gitea-1.26.1", ["gitea"], {
      phase: "buildPhase",
      tail: [
        "one",
        "two",
        "three",
        "four",
        "models/actions/run.go:88:14: undefined: optional.Some",
        "make: *** Error 2",
      ],
    })
    .hostsFinished("build-failed", ["gitea"], { reason: "gitea-1.26.1: builder failed with exit code 2" })
    .wait(20_000)
    .hostsFinished("built", ["testvm01", "web01", "nas", "router"])
    .finished("failed");

const finishedFrom = (script: BuildScript, recorder: Recorder): Recorder => {
  recorder.play(script);
  recorder.renderer.finish(script.state);
  return recorder;
};

test("plain: a line for each change with its time, and the summary on standard output", () => {
  const { out, err, clock } = finishedFrom(eventful(), record("plain"));
  expect(err()).toMatchInlineSnapshot(`
    "14:08:58Z  -         build 01JDB3K2M4N5P6Q7R8S9T0V1W2 accepted by cache: 6 hosts of nixos-servers@9c41e7f
    14:08:58Z  pi        skipped: no builder for aarch64-linux
    14:09:00Z  -         evaluated (5 hosts: testvm01, web01, gitea, nas, router)
    14:09:00Z  testvm01  building
    14:09:00Z  web01     building
    14:09:03Z  media     ✗ evaluation failed after 5s: The option \`services.foo' does not exist.
    14:10:03Z  -         warning: no space left; trying nas again in 30s (attempt 2)
    14:10:03Z  -         warning: left out cachix.org: no answer
    14:10:03Z  -         builder cache goes on with the build
    14:10:45Z  gitea     ✗ gitea-1.26.1: builder failed with exit code 2 (buildPhase)
    14:10:45Z  gitea       /nix/store/gixxa1261drv00000000000000000000-gitea-1.26.1.drv
    14:10:45Z  gitea       | two
    14:10:45Z  gitea       | three
    14:10:45Z  gitea       | four
    14:10:45Z  gitea       | models/actions/run.go:88:14: undefined: optional.Some
    14:10:45Z  gitea       | make: *** Error 2
    14:10:45Z  gitea     ✗ build failed after 1m47s: gitea-1.26.1: builder failed with exit code 2
    14:11:05Z  -         ✓ built after 2m07s (4 hosts: testvm01, web01, nas, router)
    "
  `);
  expect(out()).toContain("2 of 6 hosts failed in 2m07s (4 built, 1 skipped)");
  expect(clock.sleepers).toBe(0);
});

test("plain: a thousand hosts take few lines", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  const script = scriptBuild()
    .accepted(names)
    .evaluated(...names)
    .building(...names);
  const { err } = finishedFrom(script.hostsFinished("built", names).finished("succeeded"), record("plain"));
  expect(err().split("\n")).toHaveLength(5);
  expect(err()).toContain("evaluated (1000 hosts: web0, web1, web2");
});

test("plain: says every 30 s that it still builds, and not when something was said", async () => {
  const { renderer, play, clock, err } = record("plain");
  await clock.advance(31_000);
  expect(err()).toMatchInlineSnapshot(`
    "14:09:28Z  -  still waiting for a builder after 30s
    "
  `);
  const script = scriptBuild().accepted(["web01", "nas", "gitea"]);
  play(script);
  renderer.message({
    type: "progress",
    progress: progressOf({ evaluations: { done: 1, total: 3, running: [hostRef("nas")] } }),
  });
  await clock.advance(29_000);
  expect(err()).not.toContain("still evaluating");
  await clock.advance(1000);
  play(script.evaluated("web01").building("web01"));
  renderer.message({
    type: "progress",
    progress: progressOf({
      running: [{ name: "linux-6.18.4", elapsedMs: 1000, host: hostRef("web01") }],
      hosts: [{ ...hostRef("web01"), built: 2, toBuild: 4 }],
    }),
  });
  await clock.advance(61_000);
  expect(err()).toMatchInlineSnapshot(`
    "14:09:28Z  -  still waiting for a builder after 30s
    14:08:58Z  -      build 01JDB3K2M4N5P6Q7R8S9T0V1W2 accepted by cache: 3 hosts of nixos-servers@9c41e7f
    14:09:59Z  -      still evaluating after 1m01s: 1 of 3 hosts done
    14:08:58Z  web01  evaluated
    14:08:58Z  web01  building
    14:10:29Z  -      still building 3 of 3 hosts after 1m31s: web01 2/4 (linux-6.18.4)
    14:10:59Z  -      still building 3 of 3 hosts after 2m01s: web01 2/4 (linux-6.18.4)
    "
  `);
  renderer.interrupted();
  const silent = err();
  await clock.advance(120_000);
  expect(err()).toBe(silent);
});

test("plain: what happens before a builder has it, and the connection", () => {
  const { renderer, err } = record("plain");
  const note = "fetching nixos-servers (attempt 2 of 3)";
  renderer.message({ type: "progress", progress: progressOf({ note }) });
  renderer.message({ type: "progress", progress: progressOf({ note }) });
  renderer.message({ type: "connection", connected: false });
  renderer.message({ type: "connection", connected: true });
  renderer.notice("cancelling");
  expect(err()).toMatchInlineSnapshot(`
    "14:08:58Z  -  fetching nixos-servers (attempt 2 of 3)
    14:08:58Z  -  no connection to NATS, trying again
    14:08:58Z  -  connected again
    14:08:58Z  -  cancelling
    "
  `);
});

test("plain: logs only with -L", () => {
  const quiet = record("plain");
  quiet.log({ text: "CC a.o\n" });
  expect(quiet.err()).toBe("");
  const loud = record("plain", { buildLogs: true });
  loud.log({ text: "CC a.o\n10 %\r20 %\n" });
  expect(loud.err()).toBe("linux-6.18.4> CC a.o\nlinux-6.18.4> 20 %\n");
});

test("github: lines, annotations and a summary without commands", () => {
  const { out, err } = finishedFrom(eventful(), record("github"));
  expect(err()).toBe("");
  const afterLines = out().slice(out().indexOf("::stop-commands::"));
  expect(afterLines).toMatchInlineSnapshot(`
    "::stop-commands::b6f1c0de
    ✗ gitea-1.26.1: builder failed with exit code 2 (buildPhase)
      breaks gitea
      /nix/store/gixxa1261drv00000000000000000000-gitea-1.26.1.drv
      Last 6 lines of its log:
      | one
      | two
      | three
      | four
      | models/actions/run.go:88:14: undefined: optional.Some
      | make: *** Error 2
      Full log:  homelab-deploy logs 01JDB3K2M4N5P6Q7R8S9T0V1W2 gitea

    ✗ media: evaluation failed
      The option \`services.foo' does not exist.

      Host      Result                Time  Because
      testvm01  ✓ built              2m07s
      web01     ✓ built              2m07s
      gitea     ✗ build failed       1m47s  gitea-1.26.1
      nas       ✓ built              2m07s
      router    ✓ built              2m07s
      media     ✗ evaluation failed     5s  The option \`services.foo' does not exist.
      pi        · skipped                   no builder for aarch64-linux

    ✗ 2 of 6 hosts failed in 2m07s (4 built, 1 skipped)
    Retry:     homelab-deploy build gitea media --repo nixos-servers --branch main
    ::b6f1c0de::
    ::error title=gitea-1.26.1 failed%2C breaks gitea::builder failed with exit code 2 (buildPhase)%0Aone%0Atwo%0Athree%0Afour%0Amodels/actions/run.go:88:14: undefined: optional.Some%0Amake: *** Error 2
    ::error title=media%3A evaluation failed::The option \`services.foo' does not exist.
    "
  `);
});

test("github: logs are folded, each together, and that of a failed derivation is not", () => {
  const recorder = record("github", { buildLogs: true });
  const gitea = { log: 2, drvPath: storePath("gitea-1.26.1.drv") };
  const script = scriptBuild().accepted(["gitea"]);
  recorder.play(script);
  recorder.log({ text: "CC a.o\n" });
  recorder.log({ ...gitea, text: "::error::go build\n" });
  recorder.log({ text: "CC b.o\n", dropped: 3 });
  recorder.log({ ...gitea, kind: "full", text: "again\n" });
  recorder.play(script.derivationFailed("gitea-1.26.1", ["gitea"]));
  script.hostsFinished("build-failed", ["gitea"]).finished("failed");
  finishedFrom(script, recorder);
  expect(recorder.out().split("\n").slice(1, 15).join("\n")).toMatchInlineSnapshot(`
    "14:08:58Z  gitea  ✗ gitea-1.26.1: builder failed with exit code 2
    14:08:58Z  gitea    /nix/store/gixxa1261drv00000000000000000000-gitea-1.26.1.drv
    ::stop-commands::b6f1c0de
    ::error::go build
    ::b6f1c0de::
    14:08:58Z  gitea  ✗ build failed after 0s
    ::group::Log of linux-6.18.4
    ::stop-commands::b6f1c0de
    CC a.o
    3 lines were dropped here
    CC b.o
    ::b6f1c0de::
    ::endgroup::
    ::stop-commands::b6f1c0de"
  `);
});

test("github: a log to which nothing is added is shown before the build is over", async () => {
  const { log, out, clock } = record("github", { buildLogs: true });
  log({ text: "CC a.o\n" });
  await clock.advance(30_000);
  expect(out()).not.toContain("CC a.o");
  await clock.advance(30_000);
  expect(out()).toContain(
    "::group::Log of linux-6.18.4\n::stop-commands::b6f1c0de\nCC a.o\n::b6f1c0de::\n::endgroup::\n",
  );
  log({ text: "LD\n" });
  await clock.advance(60_000);
  expect(out()).toContain("::group::Log of linux-6.18.4 (continued)\n");
});

test("github: at most ten annotations, with everything escaped that would end them", () => {
  const names = Array.from({ length: 12 }, (_, i) => `web${i}`);
  const script = scriptBuild().accepted(names);
  for (const name of names) {
    script.derivationFailed("x", [name], {
      drvPath: storePath(`${name}.drv`),
      name: "a:b,c%",
      tail: ["100%", "::add-mask::x"],
    });
  }
  const { out } = finishedFrom(
    script.hostsFinished("build-failed", names).finished("failed"),
    record("github"),
  );
  const errors = out()
    .split("\n")
    .filter((line) => line.startsWith("::error"));
  expect(errors).toHaveLength(10);
  expect(errors[0]).toMatchInlineSnapshot(
    `"::error title=a%3Ab%2Cc%25 failed%2C breaks web0::builder failed with exit code 2%0A100%25%0A::add-mask::x"`,
  );
});

test("github: a build without a verdict of its own is one annotation", () => {
  const script = scriptBuild().event({ type: "rejected", code: "UNKNOWN_HOST", message: "no host x\n::y" });
  const { out } = finishedFrom(script, record("github"));
  expect(
    out()
      .split("\n")
      .filter((line) => line.startsWith("::error")),
  ).toMatchInlineSnapshot(`
    [
      "::error title=homelab-deploy::The build was rejected: no host x ::y",
    ]
  `);
});

test("github: appends the step summary, and a path that cannot be written is only a warning", () => {
  const directory = mkdtempSync(join(tmpdir(), "homelab-deploy-summary-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const stepSummaryPath = join(directory, "summary.md");
  finishedFrom(eventful(), record("github", { stepSummaryPath }));
  expect(readFileSync(stepSummaryPath, "utf8")).toMatchInlineSnapshot(`
    "### 2 of 6 hosts failed in 2m07s (4 built, 1 skipped)

    #### \` gitea-1.26.1 \`: \` builder failed with exit code 2 (buildPhase) \`

    Breaks \` gitea \`

    \` /nix/store/gixxa1261drv00000000000000000000-gitea-1.26.1.drv \`

    \`\`\`text
    one
    two
    three
    four
    models/actions/run.go:88:14: undefined: optional.Some
    make: *** Error 2
    \`\`\`

    #### evaluation failed: \` media \`

    \`\`\`text
    The option \`services.foo' does not exist.
    \`\`\`

    | Host | Result | Time | Because |
    | --- | --- | ---: | --- |
    | \` testvm01 \` | ✓ built | 2m07s |  |
    | \` web01 \` | ✓ built | 2m07s |  |
    | \` gitea \` | **✗ build failed** | 1m47s | \` gitea-1.26.1: builder failed with exit code 2 \` |
    | \` nas \` | ✓ built | 2m07s |  |
    | \` router \` | ✓ built | 2m07s |  |
    | \` media \` | **✗ evaluation failed** | 5s | \`\` The option \`services.foo' does not exist. \`\` |
    | \` pi \` | skipped |  | \` no builder for aarch64-linux \` |

    Build 01JDB3K2M4N5P6Q7R8S9T0V1W2
    "
  `);
  const failing = finishedFrom(eventful(), record("github", { stepSummaryPath: directory }));
  expect(failing.out()).toContain("::warning title=homelab-deploy::the step summary was not written");
});

test("jsonl: each event as it is on the wire, once, and the terminal one last", () => {
  const script = eventful();
  const recorder = record("jsonl");
  recorder.play(script);
  for (const event of script.events) recorder.renderer.message({ type: "event", event });
  recorder.renderer.message({ type: "progress", progress: progressOf({}) });
  recorder.renderer.finish(script.state);
  const lines = recorder.out().trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(script.events.map((event) => ({ v: 1, ...event })));
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ type: "finished", verdict: "failed" });
  expect(recorder.err()).toBe("");
});

test("jsonl: progress and logs only when asked for", () => {
  const { renderer, log, out } = record("jsonl", { progress: true, buildLogs: true });
  renderer.message({ type: "progress", progress: progressOf({ note: "fetching" }) });
  log({ text: "a\u001b[2J\u009b\n" });
  const lines = out().trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { v: 1, type: "progress", note: "fetching" },
    { v: 1, type: "log", text: "a\u001b[2J\u009b\n" },
  ]);
  expect(out()).not.toMatch(/[\u001b\u009b]/);
});

const hostile = fc.string({
  unit: fc.constantFrom(
    "\u001b",
    "]52;c;A",
    "[2J",
    "\u0007",
    "\r",
    "\n",
    "\u202e",
    "\u009b",
    "`",
    "```",
    "|",
    "<b>",
    "\n::set-output name=a::",
    "##[error]",
    "::b6f1c0de::",
    "x",
  ),
  maxLength: 12,
});

const hostileScript = (text: string): BuildScript =>
  scriptBuild()
    .accepted(["web01", "nas"], { skipped: [{ repo: nixosServers, host: text, reason: text }] })
    .event({ type: "warning", message: text })
    .event({ type: "retrying", hosts: [hostRef("nas")], reason: text, attempt: 2, delayMs: 1 })
    .derivationFailed("linux", ["web01"], { name: text, reason: text, phase: text, tail: [text] })
    .hostsFinished("build-failed", ["web01"], { reason: text })
    .hostsFinished("eval-failed", ["nas"], { reason: text, details: text })
    .finished("failed", text);

/** What a runner takes for commands: `::` at the start, or `##[` anywhere, but for where they are stopped. */
function commandsIn(output: string, token: string): string[] {
  let stopped = false;
  return output.split("\n").filter((line) => {
    const wasStopped = stopped;
    if (line.trimStart() === `::stop-commands::${token}`) stopped = true;
    if (line.trimStart() === `::${token}::`) stopped = false;
    return !(wasStopped && stopped) && (line.trimStart().startsWith("::") || line.includes("##["));
  });
}

test("nothing from outside reaches a terminal or a runner as more than text", () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom("plain", "github"), fc.boolean(), (text, mode, colour) => {
      const recorder = record(mode, {
        buildLogs: true,
        colour,
        showTrace: true,
        randomToken: () => "secret",
      });
      recorder.log({ text: `${text}\n`, drvPath: text });
      finishedFrom(hostileScript(text), recorder);
      const all = recorder.out() + recorder.err();
      expect(all.replace(/\u001b\[[0-9;:]*m/g, "")).not.toMatch(
        /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/,
      );
      const commands = mode === "github" ? commandsIn(recorder.out(), "secret") : [];
      for (const command of commands) {
        expect(command).toMatch(
          /^::(?:(?:stop-commands::)?secret|group::|endgroup::|error title=|warning title=)/,
        );
      }
    }),
    { numRuns: 300 },
  );
});
