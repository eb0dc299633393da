// A home lab in the middle of a Sunday: a month of builds, one host that fails, and a build that runs.
import type { LockedInput } from "../../src/protocol/locked-inputs.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { parseBranchName, parseBuilderName, parseCommit, parseRepoName } from "../../src/protocol/names.ts";
import type { HostVerdict } from "../../src/protocol/verdicts.ts";
import { hostRef, progressOf, storePath, type BuildScript } from "./build-events.ts";
import { buildAt, type DashboardLab } from "./dashboard-lab.ts";

export const sampleHosts = [
  "backup",
  "cache-host",
  "desktop",
  "dns01",
  "dns02",
  "gitea",
  "laptop",
  "media",
  "monitor",
  "nas",
  "router",
  "rpi-garage",
  "testvm01",
  "testvm02",
  "web01",
  "web02",
];
const repo = parseRepoName("nixos-servers");
const minute = 60_000;
const day = 86_400_000;
const commitOf = (seed: number) =>
  parseCommit((seed * 2_654_435_761).toString(16).padStart(12, "7").repeat(4).slice(0, 40));

export interface Scene {
  readonly failing: BuildId;
  readonly running: BuildScript;
  /** The number of the log of what failed, in the failing build. */
  readonly failedLog: number;
}

export interface SceneOptions {
  readonly now: Date;
  /** Lines of the log of what failed. */
  readonly logLines?: number;
}

const tail = [
  "\u001b[1m[ 91%]\u001b[0m Building CXX object \u001b[32msrc/core/module_990.cpp.o\u001b[0m",
  "\u001b[1m[ 92%]\u001b[0m Building CXX object \u001b[32msrc/core/module_991.cpp.o\u001b[0m",
  "modules/setting/server.go:214:17: \u001b[1;31merror:\u001b[0m cannot use upstream (variable of type string) as *url.URL value",
  "modules/setting/server.go:231:9: \u001b[1;35mwarning:\u001b[0m result of url.Parse call not used",
  "note: module requires Go 1.26",
  "make[1]: *** [Makefile:612: gitea] Error 1",
  "make: *** [Makefile:580: build] Error 2",
];

/** nixpkgs moved with the second to last commit. */
function inputsAt(seed: number, now: Date): LockedInput[] {
  const input = (name: string, source: string, days: number, digit: string): LockedInput => ({
    input: name,
    source,
    rev: digit.repeat(40),
    madeAt: Math.floor((now.getTime() - days * day) / 1000),
  });
  return [
    input("disko", "github:nix-community/disko", 61, "d"),
    input("home-manager", "github:nix-community/home-manager", 9, "c"),
    seed > 2
      ? input("nixpkgs", "github:NixOS/nixpkgs", 16, "a")
      : input("nixpkgs", "github:NixOS/nixpkgs", 2, "b"),
    { ...input("printer-driver", "git+ssh://git@git.home/printer", 240, "e"), isPinned: true },
  ];
}

export async function tellSunday(lab: DashboardLab, { now, logLines = 3200 }: SceneOptions): Promise<Scene> {
  const at = (ago: number): Date => new Date(now.getTime() - ago);
  const branch = parseBranchName("main");
  const source = (seed: number) => [{ repo, branch, commit: commitOf(seed), inputs: inputsAt(seed, now) }];
  const verdicts: readonly HostVerdict[] = ["built", "unchanged"];

  for (let index = 26; index >= 3; index--) {
    const script = buildAt(at(index * 1.05 * day));
    const isBad = index === 19 || index === 11;
    script.accepted(sampleHosts, {
      sources: source(index),
      complete: true,
      trigger: index % 4 === 0 ? "update" : index % 3 === 0 ? "poll" : "manual",
      requestedBy: index % 3 === 1 ? "kai@desk" : undefined,
      builder: parseBuilderName("cache-host"),
    });
    script.evaluated(...sampleHosts).building(...sampleHosts);
    script.wait((4 + ((index * 7) % 23)) * minute);
    for (const [place, host] of sampleHosts.entries()) {
      const fails = isBad && place % 9 === 3;
      script.hostsFinished(fails ? "build-failed" : (verdicts[(place + index) % 2] ?? "built"), [host], {
        cached: fails ? undefined : true,
        reason: fails ? "openssl-3.6.1: builder failed with exit code 1" : undefined,
        outPath: fails ? undefined : storePath(`nixos-system-${host}`),
      });
    }
    await lab.tell(script.finished(isBad ? "failed" : "succeeded"));
  }

  const failing = buildAt(at(95 * minute));
  failing
    .accepted(sampleHosts, {
      sources: source(2),
      complete: true,
      requestedBy: "kai@desk",
      builder: parseBuilderName("cache-host"),
    })
    .evaluated(...sampleHosts.filter((host) => host !== "rpi-garage"))
    .building("gitea", "web01", "backup")
    .wait(6 * minute + 12_000)
    .derivationFailed("gitea-1.26.1", ["gitea", "backup"], { tail: [...tail], phase: "buildPhase", log: 3 });
  const others = sampleHosts.filter((host) => !["gitea", "backup", "rpi-garage", "media"].includes(host));
  failing
    .hostsFinished("build-failed", ["gitea", "backup"], {
      reason: "gitea-1.26.1: builder failed with exit code 2 in buildPhase",
    })
    .hostsFinished("eval-failed", ["rpi-garage"], {
      reason: "error: The option `services.zigbee2mqtt.settings.serial' is used but not defined.",
      details:
        "error: The option `services.zigbee2mqtt.settings.serial' is used but not defined.\n\n       … while evaluating the option `system.build.toplevel':\n       at /nix/store/source/hosts/rpi-garage.nix:41:7",
    })
    .hostsFinished("infra-failed", ["media"], { reason: "the disk of the builder is full: 1.2 GiB free" })
    .hostsFinished("unchanged", others, { cached: true })
    .wait(30_000)
    .event({ type: "warning", message: "the substituter https://cache.lan did not answer and was left out" })
    .finished("failed");
  await lab.tell(failing);
  const lines = Array.from(
    { length: logLines - tail.length },
    (_, index) =>
      `gcc -O2 -fPIC -c drivers/net/ethernet/intel/ice/ice_${index + 1}.c -o build/ice_${index + 1}.o${index % 40 === 7 ? " \u001b[33m-Wno-deprecated\u001b[0m" : ""}`,
  );
  const drvPath = storePath("gitea-1.26.1.drv");
  await lab.printLog(failing.id, 3, `${[...lines, ...tail].join("\n")}\n`, {
    kind: "full",
    drvPath,
    hosts: ["nixos-servers/gitea", "nixos-servers/backup"],
  });
  await lab.printLog(failing.id, 1, "unpacking sources\nbuilding\n", {
    drvPath: storePath("openssl-3.6.1.drv"),
  });

  const running = buildAt(at(3 * minute + 16_000));
  running
    .accepted(sampleHosts, {
      sources: source(1),
      complete: true,
      requestedBy: "kai@laptop",
      builder: parseBuilderName("cache-host"),
    })
    .evaluated(...sampleHosts)
    .building("web01", "router", "laptop", "gitea")
    .wait(100_000)
    .hostsFinished("unchanged", ["dns01", "dns02", "nas", "desktop", "testvm01"], { cached: true });
  await lab.tell(running);
  await lab.builderIsHere("cache-host", {
    builds: [running.id],
    disk: { availableBytes: 93 * 2 ** 30, totalBytes: 400 * 2 ** 30 },
  });
  for (const [index, outcome] of (["landed", "no-change", "landed", "proposed"] as const).entries()) {
    await lab.tellUpdate({
      repo,
      run: `01M86R3C5XK0V7Q2S8T9W4Y6Z${index}`,
      outcome,
      at: at((24 - index * 7) * day).toISOString(),
      base: commitOf(index + 30),
      commit: outcome === "no-change" ? undefined : commitOf(index + 31),
      inputs: outcome === "no-change" ? [] : ["nixpkgs", ...(index === 2 ? ["home-manager"] : [])],
      hosts: { ok: outcome === "proposed" ? 14 : 16, ...(outcome === "proposed" ? { broken: 2 } : {}) },
      reason: outcome === "proposed" ? "gitea and backup do not build with nixpkgs of 2026-11-25" : undefined,
      url: outcome === "proposed" ? "https://git.lan/infra/nixos-servers/pulls/41" : undefined,
      pullRequests:
        outcome === "proposed"
          ? [
              {
                number: 41,
                url: "https://git.lan/infra/nixos-servers/pulls/41",
                createdAt: at(3 * day).toISOString(),
              },
            ]
          : [],
      effect:
        outcome === "landed"
          ? {
              hosts: ["web01", "gitea", "nas"].map((host, place) => ({
                host,
                reboot: place === 0 ? ["kernel"] : [],
                closureSize: (3 + place) * 2 ** 30,
                sizeDelta: place * 40_000_000 - 12_000_000,
                packages: [
                  { name: "openssl", from: "3.6.0", to: "3.6.1" },
                  { name: "linux", from: "6.18.2", to: "6.18.4" },
                ],
                packageCount: 48,
              })),
              changed: 3,
              unchanged: 13,
              unknown: [],
            }
          : undefined,
    });
  }
  tellProgress(lab, running.id, 34);
  return { failing: failing.id, running, failedLog: 3 };
}

export function tellProgress(lab: DashboardLab, build: BuildId, built: number): void {
  lab.bus.publishProgress(
    progressOf({
      build,
      builds: { done: built, running: 3, failed: 0, total: 168 },
      evaluations: { done: 16, total: 16, running: [] },
      running: [
        {
          name: "gitea-1.26.1",
          phase: "buildPhase",
          elapsedMs: 196_000,
          usualMs: 240_000,
          host: hostRef("web01"),
        },
        { name: "grafana-13.0.0", phase: "configurePhase", elapsedMs: 74_000, host: hostRef("router") },
        { name: "linux-6.18.4", elapsedMs: 12_000, host: hostRef("laptop") },
      ],
      hosts: [
        { ...hostRef("web01"), built, toBuild: 120 },
        { ...hostRef("router"), built: Math.floor(built / 2), toBuild: 36 },
        { ...hostRef("laptop"), built: 5, toBuild: 12 },
      ],
    }),
  );
}
