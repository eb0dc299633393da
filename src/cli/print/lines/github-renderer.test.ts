import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptBuild, storePath } from "../../../../test/support/build-events.ts";
import { eventfulBuild, finishRecorded, recordRenderer } from "../../../../test/support/recorded-renderer.ts";

test("lines, annotations and a summary without commands", () => {
  const { out, err } = finishRecorded(eventfulBuild(), recordRenderer("github"));
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
      Full log:  homelab-deploy logs 01JDB3K2M4N5P6Q7R8S9T0V1W2 gitea --failed

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

test("logs are folded, each together, and that of a failed derivation is not", () => {
  const recorder = recordRenderer("github");
  const gitea = { log: 2, drvPath: storePath("gitea-1.26.1.drv") };
  const script = scriptBuild().accepted(["gitea"]);
  recorder.play(script);
  recorder.log({ text: "CC a.o\n" });
  recorder.log({ ...gitea, text: "::error::go build\n" });
  recorder.log({ text: "CC b.o\n", dropped: 3 });
  recorder.log({ ...gitea, kind: "full", text: "again\n" });
  recorder.play(script.derivationFailed("gitea-1.26.1", ["gitea"]));
  script.hostsFinished("build-failed", ["gitea"]).finished("failed");
  finishRecorded(script, recorder);
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

test("a log to which nothing is added is shown before the build is over", async () => {
  const { log, out, clock } = recordRenderer("github");
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

test("at most ten annotations, with everything escaped that would end them", () => {
  const names = Array.from({ length: 12 }, (_, i) => `web${i}`);
  const script = scriptBuild().accepted(names);
  for (const name of names) {
    script.derivationFailed("x", [name], {
      drvPath: storePath(`${name}.drv`),
      name: "a:b,c%",
      tail: ["100%", "::add-mask::x"],
    });
  }
  const { out } = finishRecorded(
    script.hostsFinished("build-failed", names).finished("failed"),
    recordRenderer("github"),
  );
  const errors = out()
    .split("\n")
    .filter((line) => line.startsWith("::error"));
  expect(errors).toHaveLength(10);
  expect(errors[0]).toMatchInlineSnapshot(
    `"::error title=a%3Ab%2Cc%25 failed%2C breaks web0::builder failed with exit code 2%0A100%25%0A::add-mask::x"`,
  );
});

test("a build without a verdict of its own is one annotation", () => {
  const script = scriptBuild().event({ type: "rejected", code: "UNKNOWN_HOST", message: "no host x\n::y" });
  const { out } = finishRecorded(script, recordRenderer("github"));
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

test("appends the step summary, and a path that cannot be written is only a warning", () => {
  const directory = mkdtempSync(join(tmpdir(), "homelab-deploy-summary-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const stepSummaryPath = join(directory, "summary.md");
  finishRecorded(eventfulBuild(), recordRenderer("github", { stepSummaryPath }));
  expect(readFileSync(stepSummaryPath, "utf8")).toMatchInlineSnapshot(`
    "### 2 of 6 hosts failed in 2m07s (4 built, 1 skipped)

    #### \`gitea-1.26.1\`: \`builder failed with exit code 2 (buildPhase)\`

    Breaks \`gitea\`

    \`/nix/store/gixxa1261drv00000000000000000000-gitea-1.26.1.drv\`

    \`\`\`text
    one
    two
    three
    four
    models/actions/run.go:88:14: undefined: optional.Some
    make: *** Error 2
    \`\`\`

    #### evaluation failed: \`media\`

    \`\`\`text
    The option \`services.foo' does not exist.
    \`\`\`

    | Host | Result | Time | Because |
    | --- | --- | ---: | --- |
    | \`testvm01\` | ✓ built | 2m07s |  |
    | \`web01\` | ✓ built | 2m07s |  |
    | \`gitea\` | **✗ build failed** | 1m47s | \`gitea-1.26.1: builder failed with exit code 2\` |
    | \`nas\` | ✓ built | 2m07s |  |
    | \`router\` | ✓ built | 2m07s |  |
    | \`media\` | **✗ evaluation failed** | 5s | \`\`The option \`services.foo' does not exist.\`\` |
    | \`pi\` | skipped |  | \`no builder for aarch64-linux\` |

    Build 01JDB3K2M4N5P6Q7R8S9T0V1W2
    "
  `);
  const without = finishRecorded(eventfulBuild(), recordRenderer("github", { stepSummaryPath: "" }));
  expect(without.out()).not.toContain("::warning");
  const failing = finishRecorded(eventfulBuild(), recordRenderer("github", { stepSummaryPath: directory }));
  expect(failing.out()).toContain("::warning title=homelab-deploy::the step summary was not written");
});

test("with -q the summary and the annotations, and no log", () => {
  const recorder = recordRenderer("github", { detail: "quiet" });
  recorder.log({ text: "CC a.o\n" });
  const { out } = finishRecorded(eventfulBuild(), recorder);
  expect(out()).toMatch(/^::stop-commands::/);
  expect(out()).toContain("::error title=gitea-1.26.1");
  expect(out()).not.toContain("CC a.o");
});
