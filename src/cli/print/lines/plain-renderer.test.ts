import { expect, test } from "vitest";
import { hostRef, progressOf, scriptBuild } from "../../../../test/support/build-events.ts";
import { eventfulBuild, finishRecorded, recordRenderer } from "../../../../test/support/recorded-renderer.ts";

test("a line for each change with its time, and the summary on standard output", () => {
  const { out, err, clock } = finishRecorded(eventfulBuild(), recordRenderer("plain"));
  expect(err()).toMatchInlineSnapshot(`
    "14:08:58Z  -         build 01JDB3K2M4N5P6Q7R8S9T0V1W2 accepted by cache: 6 hosts of nixos-servers@9c41e7f
    14:08:58Z  pi        skipped: no builder for aarch64-linux
    14:09:00Z  -         evaluated (5 hosts: testvm01, web01, gitea, nas, router)
    14:09:00Z  testvm01  building
    14:09:00Z  web01     building
    14:09:03Z  media     ✗ evaluation failed after 5s: The option \`services.foo' does not exist.
    14:10:03Z  -         warning: no space left; trying nas again in 30s (attempt 2)
    14:10:03Z  -         warning: left out cachix.org: no answer
    14:10:03Z  -         builder cache resumes the build
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

test("a thousand hosts take few lines", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  const script = scriptBuild()
    .accepted(names)
    .evaluated(...names)
    .building(...names);
  const { err } = finishRecorded(
    script.hostsFinished("built", names).finished("succeeded"),
    recordRenderer("plain"),
  );
  expect(err().split("\n")).toHaveLength(5);
  expect(err()).toContain("evaluated (1000 hosts: web0, web1, web2");
});

test("many derivations that break the same hosts take few lines too", () => {
  const script = scriptBuild().accepted(["web01", "nas", "gitea"]);
  for (let i = 1; i <= 67; i += 1)
    script.derivationFailed(`source-${i}`, ["web01", "nas"], { tail: ["no route"] });
  script.derivationFailed("gitea-1.26.1", ["gitea"], { tail: ["undefined"] });
  const { err } = finishRecorded(script.finished("failed"), recordRenderer("plain"));
  expect(err().match(/✗ \S+:/g)).toEqual(["✗ source-1:", "✗ source-2:", "✗ source-3:", "✗ gitea-1.26.1:"]);
  expect(err().match(/more derivations failed.*/g)).toEqual([
    "more derivations failed, breaks 2 hosts: web01, nas; the summary counts them",
  ]);
});

test("what is nobody's fault has another sign than a failure", () => {
  const script = scriptBuild().accepted(["web01"]).derivationFailed("linux", ["web01"], { kind: "infra" });
  const { err } = finishRecorded(script.finished("infra-failed"), recordRenderer("plain"));
  expect(err()).toContain("! linux: ");
  expect(err()).not.toContain("✗");
});

test("a builder that has begun to take the request is not waited for", async () => {
  const { renderer, clock, err } = recordRenderer("plain");
  renderer.message({
    type: "progress",
    progress: progressOf({ note: "nixos: listing the hosts of 9c41e7f" }),
  });
  await clock.advance(31_000);
  expect(err()).not.toContain("waiting for a builder");
  expect(err()).toContain("nixos: listing the hosts of 9c41e7f: still at it after 30s");
});

test("says every 30 s that it still builds, and not when something was said", async () => {
  const { renderer, play, clock, err } = recordRenderer("plain");
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

test("what happens before a builder has it, and the connection", () => {
  const { renderer, err } = recordRenderer("plain");
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

test("logs only with -L", () => {
  const quiet = recordRenderer("plain");
  quiet.log({ text: "CC a.o\n" });
  expect(quiet.err()).toBe("");
  const loud = recordRenderer("plain", { buildLogs: true });
  loud.log({ text: "CC a.o\n10 %\r20 %\n" });
  expect(loud.err()).toBe("linux-6.18.4> CC a.o\nlinux-6.18.4> 20 %\n");
});

test("a line for each derivation that starts only with -v", () => {
  const said = (detail?: "verbose"): string => {
    const { renderer, play, err } = recordRenderer("plain", { detail });
    play(scriptBuild().accepted(["web01"]));
    const linux = { name: "linux-6.18.4", elapsedMs: 100, host: hostRef("web01") };
    renderer.message({ type: "progress", progress: progressOf({ running: [linux] }) });
    const later = { ...linux, elapsedMs: 200 };
    const shared = { name: "etc\u001b[2J", elapsedMs: 5, usualMs: 61_000, machine: "ssh://arm1\u001b[2J" };
    renderer.message({ type: "progress", progress: progressOf({ running: [later, shared] }) });
    return err().split("\n").slice(1).join("\n");
  };
  expect(said()).toBe("");
  expect(said("verbose")).toBe(
    "14:08:58Z  web01  building linux-6.18.4\n14:08:58Z  -      building etc on arm1 (usually 1m01s)\n",
  );
});

test("with -q only the summary, and what the program has to say of itself", async () => {
  const recorder = recordRenderer("plain", { detail: "quiet" });
  recorder.log({ text: "CC a.o\n" });
  recorder.renderer.message({ type: "progress", progress: progressOf({ note: "fetching" }) });
  await recorder.clock.advance(60_000);
  recorder.renderer.notice("The request is queued");
  finishRecorded(eventfulBuild(), recorder);
  expect(recorder.err()).toBe("14:09:58Z  -  The request is queued\n");
  expect(recorder.out()).toBe(finishRecorded(eventfulBuild(), recordRenderer("plain")).out());
});

test("in a runner nothing foreign is a workflow command", () => {
  const inRunner = recordRenderer("plain", { inRunner: true, buildLogs: true });
  inRunner.log({ text: "::error::a\n##[error]b\n" });
  const script = scriptBuild()
    .accepted(["web01"])
    .hostsFinished("eval-failed", ["web01"], { reason: "error:\n::set-env name=PATH::/tmp" })
    .finished("failed");
  const { out, err } = finishRecorded(script, inRunner);
  expect(err()).not.toMatch(/^\s*::|##\[/m);
  expect(err()).toContain("linux-6.18.4> ::error::a\nlinux-6.18.4> ## [error]b\n");
  const lines = out().trimEnd().split("\n");
  expect([lines[0], lines.at(-1)]).toEqual(["::stop-commands::b6f1c0de", "::b6f1c0de::"]);
  expect(lines).toContain("  ::set-env name=PATH::/tmp");
  const outside = finishRecorded(script, recordRenderer("plain"));
  expect(outside.out()).toBe(`${lines.slice(1, -1).join("\n")}\n`);
});

test("a sign of life says how long it will take, and who waits for a slot", async () => {
  const { renderer, play, clock, err } = recordRenderer("plain");
  play(scriptBuild().accepted(["web01", "nas"]).evaluated("web01", "nas").building("web01", "nas"));
  renderer.message({
    type: "progress",
    progress: progressOf({
      builds: { done: 2, running: 1, failed: 0, total: 7, leftMs: 90_000 },
      running: [{ name: "linux-6.18.4", elapsedMs: 1000, host: hostRef("web01") }],
      hosts: [
        { ...hostRef("web01"), built: 2, toBuild: 4 },
        { ...hostRef("nas"), built: 0, toBuild: 3, waitsForSlot: true },
      ],
    }),
  });
  await clock.advance(31_000);
  expect(err()).toContain(
    "still building 2 of 2 hosts after 30s, ~1m00s left: web01 2/4 (linux-6.18.4), nas 0/3 (waiting for a slot)",
  );
});
