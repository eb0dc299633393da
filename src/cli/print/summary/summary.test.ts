import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRepoName } from "../../../protocol/names.ts";
import { hostRef, scriptBuild, storePath } from "../../../../test/support/build-events.ts";
import { createStyle, plainStyle } from "../style.ts";
import { renderSummary } from "./summary.ts";
import { displayWidth } from "../text-width.ts";

const fleet = ["testvm01", "web01", "gitea", "nas", "router", "monitor"];
const summary = (script: ReturnType<typeof scriptBuild>, width?: number): string =>
  renderSummary(script.state, { style: plainStyle, width });

const goFailure = {
  phase: "buildPhase",
  tail: ["models/actions/run.go:88:14: undefined: optional.Some", "make: *** [Makefile:776: gitea] Error 2"],
};

test("a build that succeeded: every host and one sentence", () => {
  const script = scriptBuild()
    .accepted(fleet)
    .wait(73_000)
    .hostsFinished("built", ["testvm01", "web01", "gitea", "nas"])
    .hostsFinished("unchanged", ["router", "monitor"])
    .wait(182_000)
    .finished("succeeded");
  expect(summary(script)).toMatchInlineSnapshot(`
    "  Host      Result        Time
      testvm01  ✓ built      1m13s
      web01     ✓ built      1m13s
      gitea     ✓ built      1m13s
      nas       ✓ built      1m13s
      router    ✓ unchanged  1m13s
      monitor   ✓ unchanged  1m13s

    ✓ 6 hosts succeeded in 4m15s (4 built, 2 unchanged)
    "
  `);
});

test("a single host that was built: where it is", () => {
  const outPath = storePath("nixos-system-web01");
  const script = scriptBuild()
    .accepted(["web01"])
    .wait(73_000)
    .hostsFinished("built", ["web01"], { outPath });
  expect(summary(script.finished("succeeded"))).toMatchInlineSnapshot(`
    "  Host   Result    Time
      web01  ✓ built  1m13s

    ✓ 1 host succeeded in 1m13s (1 built)
      /nix/store/nixxssysxxmwxb010000000000000000-nixos-system-web01
    "
  `);
});

test("a failure: why, the end of its log, how to read on and how to try again", () => {
  const script = scriptBuild()
    .accepted(fleet)
    .wait(73_000)
    .hostsFinished("built", ["testvm01", "web01", "nas", "router"])
    .hostsFinished("unchanged", ["monitor"])
    .wait(34_000)
    .derivationFailed("gitea-1.26.1", ["gitea"], goFailure)
    .hostsFinished("build-failed", ["gitea"], { reason: "gitea-1.26.1: builder failed with exit code 2" })
    .wait(148_000)
    .finished("failed");
  expect(summary(script, 80)).toMatchInlineSnapshot(`
    "✗ gitea-1.26.1: builder failed with exit code 2 (buildPhase)
      breaks gitea
      /nix/store/gixxa1261drv00000000000000000000-gitea-1.26.1.drv
      Last 2 lines of its log:
      | models/actions/run.go:88:14: undefined: optional.Some
      | make: *** [Makefile:776: gitea] Error 2
      Full log:  homelab-deploy logs 01JDB3K2M4N5P6Q7R8S9T0V1W2 gitea --failed

      Host      Result           Time  Because
      testvm01  ✓ built         1m13s
      web01     ✓ built         1m13s
      gitea     ✗ build failed  1m47s  gitea-1.26.1
      nas       ✓ built         1m13s
      router    ✓ built         1m13s
      monitor   ✓ unchanged     1m13s

    ✗ 1 of 6 hosts failed in 4m15s (4 built, 1 unchanged)
    Retry:     homelab-deploy build gitea --repo nixos-servers --branch main
    "
  `);
});

test("a shared derivation is shown once, with every host that it breaks", () => {
  const names = Array.from({ length: 15 }, (_, i) => `web${i + 1}`);
  const script = scriptBuild()
    .accepted(names)
    .wait(1000)
    .derivationFailed("openssl-3.6.0", names, { tail: ["ld: cannot find -lz"], hosts: names.map(hostRef) })
    .hostsFinished("build-failed", names)
    .finished("failed");
  const text = summary(script);
  expect(text.split("ld: cannot find -lz")).toHaveLength(2);
  expect(text).toContain("breaks 15 hosts: web1, web2, web3");
  expect(text).toContain("and 3 more");
  expect(text).toContain(`build --all --repo nixos-servers --branch main`);
});

test("evaluation errors: the message, grouped, and the trace only when asked for", () => {
  const script = scriptBuild()
    .accepted(["gitea", "nas", "web01"])
    .wait(9000)
    .hostsFinished("eval-failed", ["gitea", "nas"], {
      reason: "The option `services.gitea.foo' does not exist.",
      details: "error:\n… while evaluating the module\nThe option `services.gitea.foo' does not exist.",
    })
    .hostsFinished("built", ["web01"])
    .finished("failed");
  expect(summary(script)).toMatchInlineSnapshot(`
    "✗ evaluation failed for 2 hosts
      The option \`services.gitea.foo' does not exist.
      gitea, nas
      Trace:     homelab-deploy builds show 01JDB3K2M4N5P6Q7R8S9T0V1W2 --show-trace

      Host   Result               Time  Because
      gitea  ✗ evaluation failed    9s  The option \`services.gitea.foo' does not exist.
      nas    ✗ evaluation failed    9s  The option \`services.gitea.foo' does not exist.
      web01  ✓ built                9s

    ✗ 2 of 3 hosts failed in 9s (1 built)
    Retry:     homelab-deploy build gitea nas --repo nixos-servers --branch main
    "
  `);
  const traced = renderSummary(script.state, { style: plainStyle, showTrace: true });
  expect(traced).toContain("| … while evaluating the module");
  expect(summary(script)).not.toContain("while evaluating");
});

test("a bug in homelab-deploy is called one, whatever else failed", () => {
  const script = scriptBuild()
    .accepted(["web01", "gitea", "nas"])
    .wait(9000)
    .hostsFinished("built", ["web01"])
    .hostsFinished("infra-failed", ["gitea"], {
      reason: "internal error: x is not a function",
      code: "INTERNAL",
    })
    .hostsFinished("build-failed", ["nas"], { reason: "linux: builder failed with exit code 2" });
  const { state } = script.event({ type: "finished", verdict: "failed", code: "INTERNAL", durationMs: 9000 });
  expect(renderSummary(state, { style: plainStyle })).toMatchInlineSnapshot(`
    "✗ gitea: internal error
      internal error: x is not a function

    ✗ nas: build failed
      linux: builder failed with exit code 2

      Host   Result            Time  Because
      web01  ✓ built             9s
      gitea  ✗ internal error    9s  internal error: x is not a function
      nas    ✗ build failed      9s  linux: builder failed with exit code 2

    ✗ 1 of 3 hosts got no verdict because of a bug in homelab-deploy after 9s (1 built, 1 failed to build)
    Neither hosts nor infrastructure caused the bug. Please report it with the builder's log, which has the stack.
    Retry:     homelab-deploy build nas --repo nixos-servers --branch main
    Retry:     homelab-deploy build gitea --repo nixos-servers --rev 9c41e7f2a8b3d4e5f60718293a4b5c6d7e8f9012
    "
  `);
});

test("a bug before there were hosts", () => {
  const { state } = scriptBuild().event({
    type: "finished",
    verdict: "infra-failed",
    reason: "internal error: x is not a function",
    code: "INTERNAL",
    durationMs: 20,
  });
  expect(renderSummary(state, { style: plainStyle })).toMatchInlineSnapshot(`
    "✗ A bug in homelab-deploy ended the build after 0s
      internal error: x is not a function
    Neither hosts nor infrastructure caused the bug. Please report it with the builder's log, which has the stack.
    "
  `);
});

test("an infrastructure fault is nobody's fault, and to be tried again", () => {
  const script = scriptBuild()
    .accepted(["gitea", "nas", "web01"])
    .wait(9000)
    .hostsFinished("built", ["web01"])
    .hostsFinished("infra-failed", ["gitea"], { reason: "No space left on device" })
    .wait(60_000)
    .finished("infra-failed", "the builder's disk is full");
  expect(summary(script)).toMatchInlineSnapshot(`
    "! gitea: infrastructure fault
      No space left on device

      Host   Result                  Time  Because
      gitea  ! infrastructure fault    9s  No space left on device
      nas    ? no verdict
      web01  ✓ built                   9s

    ! 2 of 3 hosts got no verdict because of an infrastructure fault after 1m09s (1 built)
      the builder's disk is full
    This is not the hosts' fault: try again later.
    Next:      homelab-deploy doctor
    Retry:     homelab-deploy build gitea nas --repo nixos-servers --rev 9c41e7f2a8b3d4e5f60718293a4b5c6d7e8f9012
    "
  `);
});

test("what the cache does not serve is not to be tried again", () => {
  const script = scriptBuild()
    .accepted(["nas", "web01"])
    .hostsFinished("infra-failed", ["nas"], { reason: "the cache does not serve it", cached: false })
    .hostsFinished("built", ["web01"])
    .finished("infra-failed");
  expect(summary(script)).toContain("the cache does not serve them");
  expect(summary(script)).toContain("homelab-deploy cache verify --all");
  expect(summary(script)).not.toContain("try again");
});

test("a build that only lacks builders has no fault, and retrying does not help", () => {
  const script = scriptBuild()
    .accepted(["pi", "web01"])
    .hostsFinished("skipped", ["pi"], { reason: "no builder for its system, aarch64-linux" })
    .hostsFinished("built", ["web01"])
    .finished("infra-failed");
  expect(summary(script)).toMatchInlineSnapshot(`
    "  Host   Result     Time  Because
      pi     · skipped    0s  no builder for its system, aarch64-linux
      web01  ✓ built      0s

    ! No builder for 1 of 2 hosts after 0s (1 built, 1 skipped)
    cache builds nothing for their systems: give its Nix a remote builder. Use \`exclude\` only for hosts that nobody needs.
    Next:      homelab-deploy doctor
    "
  `);
});

test("a fault that was overcome by trying again is not shown any more", () => {
  const script = scriptBuild()
    .accepted(["web01"])
    .derivationFailed("linux-6.18.4", ["web01"], { kind: "infra", reason: "out of memory" })
    .hostsFinished("built", ["web01"])
    .finished("succeeded");
  expect(summary(script)).not.toContain("out of memory");
});

test("hosts that were left out are shown with the reason", () => {
  const script = scriptBuild()
    .accepted(["web01"], {
      skipped: [
        {
          repo: parseRepoName("nixos-servers"),
          host: "my host\u001b]0;x\u0007",
          reason: "a name we\ncannot use",
        },
        { repo: parseRepoName("nixos-servers"), host: "pi", reason: "no builder for aarch64-linux" },
      ],
    })
    .hostsFinished("unchanged", ["web01"])
    .finished("succeeded");
  expect(summary(script)).toMatchInlineSnapshot(`
    "  Host     Result       Time  Because
      web01    ✓ unchanged    0s
      my host  · skipped          a name we cannot use
      pi       · skipped          no builder for aarch64-linux

    ✓ 1 host succeeded in 0s (1 unchanged, 2 skipped)
    "
  `);
});

test("of many hosts only those that are no success are listed", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  const script = scriptBuild()
    .accepted(names)
    .hostsFinished("built", names.slice(3))
    .hostsFinished("timed-out", ["web1"], { reason: "no output for 3600 s" })
    .hostsFinished("cancelled", ["web0"])
    .hostsFinished("build-failed", ["web2"], { reason: "gitea-1.26.1 failed" })
    .finished("failed");
  expect(summary(script)).toMatchInlineSnapshot(`
    "✗ web1: timed out
      no output for 3600 s

    ✗ web2: build failed
      gitea-1.26.1 failed

      Host  Result          Time  Because
      web1  ✗ timed out       0s  no output for 3600 s
      web2  ✗ build failed    0s  gitea-1.26.1 failed
      web0  · cancelled       0s

    ✗ 2 of 1000 hosts failed in 0s (997 built, 1 cancelled)
    Retry:     homelab-deploy build web1 web2 --repo nixos-servers --branch main
    "
  `);
});

test("a thousand failures of their own stay readable", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `web${i}`);
  const script = scriptBuild().accepted(names);
  for (const name of names) script.derivationFailed(`drv-${name}`, [name], { tail: ["oops"] });
  script.hostsFinished("build-failed", names).finished("failed");
  const text = summary(script, 80);
  expect(text.split("oops")).toHaveLength(11);
  expect(text).toContain("… 960 more");
});

test("names the repo only when there are several", () => {
  const script = scriptBuild()
    .accepted(["nixos-servers/web01", "nixos/laptop"])
    .hostsFinished("built", ["nixos-servers/web01"])
    .hostsFinished("build-failed", ["nixos/laptop"], { reason: "x failed" })
    .finished("failed");
  expect(summary(script)).toMatchInlineSnapshot(`
    "✗ nixos/laptop: build failed
      x failed

      Host                 Result          Time  Because
      nixos-servers/web01  ✓ built           0s
      nixos/laptop         ✗ build failed    0s  x failed

    ✗ 1 of 2 hosts failed in 0s (1 built)
    Retry:     homelab-deploy build laptop --repo nixos --branch main
    "
  `);
});

test("a missing verdict is said and is no success", () => {
  const script = scriptBuild().accepted(["web01", "nas"]).hostsFinished("built", ["web01"]).wait(70_000);
  expect(summary(script.finished("cancelled"))).toMatchInlineSnapshot(`
    "  Host   Result        Time
      web01  ✓ built         0s
      nas    ? no verdict

    ! Cancelled after 1m10s (1 built, 1 without a verdict)
    "
  `);
});

test("a rejected build is an error", () => {
  const script = scriptBuild().event({
    type: "rejected",
    code: "UNKNOWN_HOST",
    message: 'nixos-servers has no host "tesvm01"',
    hint: "did you mean testvm01?",
  });
  expect(summary(script)).toMatchInlineSnapshot(`
    "error: build 01JDB3K2M4N5P6Q7R8S9T0V1W2 was rejected
      because: nixos-servers has no host "tesvm01"
    hint: did you mean testvm01?
    "
  `);
});

test("a build that still runs says how to look again", () => {
  const script = scriptBuild().accepted(["web01", "nas"]).hostsFinished("built", ["web01"]);
  expect(summary(script)).toMatchInlineSnapshot(`
    "  Host   Result        Time
      web01  ✓ built         0s
      nas    ? no verdict

    1 of 2 hosts done so far (1 built)
    Follow:    homelab-deploy logs 01JDB3K2M4N5P6Q7R8S9T0V1W2 --follow
    Cancel:    homelab-deploy builds cancel 01JDB3K2M4N5P6Q7R8S9T0V1W2
    "
  `);
  expect(summary(scriptBuild())).toContain("No builder has taken the build yet");
});

test("warnings are repeated where they were asked for", () => {
  const script = scriptBuild()
    .accepted(["web01"])
    .event({ type: "warning", message: "left out cache.nixos.org:\u001b[2J no answer" });
  expect(renderSummary(script.state, { style: plainStyle, warnings: true })).toContain(
    "warning: left out cache.nixos.org: no answer\n",
  );
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
    "::set-output",
    "日",
    "x",
    "\t",
  ),
  maxLength: 12,
});

test("nothing from outside reaches the terminal as more than text", () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, fc.boolean(), (name, reason, line, colour) => {
      const script = scriptBuild()
        .accepted(["web01", "nas"], {
          skipped: [{ repo: parseRepoName("nixos-servers"), host: name, reason }],
        })
        .derivationFailed("gitea", ["web01"], { name, reason, phase: line, tail: [line] })
        .hostsFinished("build-failed", ["web01"], { reason })
        .hostsFinished("eval-failed", ["nas"], { reason, details: line })
        .event({ type: "warning", message: line })
        .finished("failed", reason);
      const style = createStyle({ colour, ascii: false });
      const text = renderSummary(script.state, { style, width: 80, showTrace: true, warnings: true });
      expect(text.replace(/\u001b\[[0-9;]*m/g, "")).not.toMatch(
        /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/,
      );
      expect(text).toContain("2 of 2 hosts failed");
    }),
  );
});

test("the table is never wider than the terminal", () => {
  const script = scriptBuild()
    .accepted(["web01", "a-host-with-a-very-long-name.example.org"])
    .hostsFinished("build-failed", ["web01"], { reason: "日本語 ".repeat(40) })
    .finished("failed");
  for (const width of [40, 60, 80, 120]) {
    const table = summary(script, width).split("\n\n").at(-2) ?? "";
    expect(table).toContain("Host");
    for (const line of table.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  }
});

test("what modules warn of, each text once, of hosts that failed too", () => {
  const script = scriptBuild().accepted(fleet);
  const all = fleet.map((host) => ({
    ...hostRef(host),
    drvPath: storePath(`${host}.drv`),
    outPath: storePath(host),
  }));
  script.event({
    type: "evaluated",
    hosts: all
      .slice(1)
      .map((host) => ({ ...host, remembered: false, warnings: ["`sound.enable` is gone.\nRemove it."] })),
    durationMs: 1,
  });
  script.hostsFinished("eval-failed", ["testvm01"], { reason: "no", warnings: ["a trace\u001b[2J"] });
  const text = summary(script.hostsFinished("built", fleet.slice(1)).finished("failed"));
  expect(text.split("\n").slice(0, 3)).toEqual([
    "warning: testvm01: a trace",
    "warning: 5 hosts: web01, gitea, nas, router, monitor: `sound.enable` is gone.",
    "  Remove it.",
  ]);
});

test("of many derivations that break the same hosts the first three, and how many more", () => {
  const script = scriptBuild().accepted(["web01", "nas", "gitea"]);
  for (let i = 1; i <= 67; i += 1)
    script.derivationFailed(`source-${i}`, ["web01", "nas"], { tail: ["no route"] });
  script.derivationFailed("gitea-1.26.1", ["gitea"], goFailure);
  const text = summary(
    script
      .hostsFinished("build-failed", ["web01", "nas"], { reason: "source-1: failed" })
      .hostsFinished("build-failed", ["gitea"], { reason: "gitea-1.26.1: failed" })
      .finished("failed"),
  );
  expect(text.match(/^✗ \S+:/gm)).toEqual(["✗ source-1:", "✗ source-2:", "✗ source-3:", "✗ gitea-1.26.1:"]);
  expect(text).toContain(
    "… 64 more derivations failed for 2 hosts: web01, nas\n  All:       homelab-deploy builds show",
  );
  expect(text).toMatch(/^ {2}nas .* source-1, source-2, source-3 and 64 more$/m);
  expect(text.split("\n").length).toBeLessThan(50);
});

test.each([
  ["failed", "The hosts could not be listed in 0s"],
  ["infra-failed", "The hosts could not be listed because of an infrastructure fault after 0s"],
] as const)(
  "a build that %s without hosts says that, and the error as Nix printed it",
  (verdict, sentence) => {
    const reason =
      "the hosts of commit aaaaaaaaaaaa cannot be listed: hosts.nix:3:6: syntax error\n   3|   db = 2;";
    const text = summary(scriptBuild().finished(verdict, reason));
    expect(text).toContain(sentence);
    expect(text).toContain(
      "  the hosts of commit aaaaaaaaaaaa cannot be listed: hosts.nix:3:6: syntax error\n     3|   db = 2;\n",
    );
    expect(text).not.toContain("0 of 0");
  },
);
