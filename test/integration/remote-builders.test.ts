// Nothing is built on the builder itself: Nix's remote builders build all of it.
import { describe, expect, onTestFinished, test } from "vitest";
import { derivationName } from "../../src/protocol/store-paths/derivation-name.ts";
import { freePort } from "../support/free-port.ts";
import { startHomelab } from "../support/start-homelab.ts";
import { createLocalLab, flakeOf, type LocalBuild, type LocalLab } from "../support/local-lab.ts";
import {
  addRemoteMachines,
  canHaveMachine,
  noRouteTo,
  sharingFlake,
  type RemoteMachines,
} from "../support/remote-machines.ts";

const hosts = 16;
/** The one that all share, one for each fourth of the hosts, and two for each host. */
const derivations = 1 + 4 + 2 * hosts;

async function startLab(
  names: readonly string[],
  nixConf: Readonly<Record<string, string>> = {},
): Promise<{ readonly lab: LocalLab; readonly remote: RemoteMachines }> {
  const lab = await createLocalLab({}, { "max-jobs": "0", ...nixConf });
  onTestFinished(() => lab[Symbol.asyncDispose]());
  const remote = await addRemoteMachines(lab.store, { names });
  await lab.commit({ "flake.nix": await sharingFlake(remote.lab, { hosts }) });
  return { lab, remote };
}

const allBuilt = Array.from({ length: hosts }, () => "built");
const verdictsOf = ({ verdicts }: LocalBuild): readonly (string | undefined)[] => Object.values(verdicts);

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

async function samplesAt(listen: string): Promise<readonly Sample[]> {
  const text = await (await fetch(`http://${listen}/metrics`)).text();
  return [
    ...text.matchAll(/^homelab_deploy_remote_builder_(?<name>\w+)\{(?<labels>.*)\} (?<value>\S+)$/gm),
  ].map(({ groups }) => ({
    name: groups?.["name"] ?? "",
    labels: groups?.["labels"] ?? "",
    value: Number(groups?.["value"]),
  }));
}

describe.skipIf(!canHaveMachine)("with max-jobs = 0", () => {
  test("two machines build sixteen hosts, no derivation twice, and logs say where", async () => {
    const { lab, remote } = await startLab(["arm1", "arm2"]);
    const build = await lab.build("-L");
    expect(verdictsOf(build), build.stderr).toEqual(allBuilt);
    expect(build.exitCode).toBe(0);
    const built = await remote.said("built");
    expect(built).toHaveLength(derivations);
    expect(new Set(built.map(({ name }) => name)).size).toBe(derivations);
    expect(new Set(built.map(({ machine }) => machine))).toEqual(new Set(["arm1", "arm2"]));
    const printed = build.logs.map(({ drvPath, machine }) => `${derivationName(drvPath)} ${machine}`);
    expect([...new Set(printed)].toSorted()).toEqual(
      built.map(({ name, machine }) => `${name} ssh://${machine}`).toSorted(),
    );
    expect((await remote.said("begun")).filter(({ machine }) => machine === "here")).toEqual([]);
  });

  test("what a machine loses that dies is built by the other one, and nobody is accused", async () => {
    const { lab, remote } = await startLab(["arm1", "arm2"]);
    await remote.machine("arm1").setMode("dies", "nixos-system-host[1-9]*");
    const build = await lab.build();
    expect(verdictsOf(build), build.stderr).toEqual(allBuilt);
    expect(build.exitCode).toBe(0);
    expect(build.state.failures).toEqual([]);
    const retries = build.events.flatMap((event) => (event.type === "retrying" ? [event.reason] : []));
    expect(retries.join("\n")).toMatch(/its build on ssh:\/\/arm1 was lost/);
    // What had ended there and was not fetched yet is built again, and nothing else is.
    const built = Map.groupBy(await remote.said("built"), ({ name }) => name);
    const repeated = [...built.values()].filter((places) => places.length > 1);
    expect(repeated.map((places) => places.map(({ machine }) => machine))).toEqual(
      repeated.map(() => ["arm1", "arm2"]),
    );
    expect(built.size).toBe(derivations);
  });

  test("who does not answer is not asked for each derivation, and is back in the next build", async () => {
    const { lab, remote } = await startLab(["arm1", "arm2"]);
    await remote.machine("arm1").setMode("down");
    const build = await lab.build();
    expect(verdictsOf(build), build.stderr).toEqual(allBuilt);
    // Each takes as long as a connection needs to fail, and Nix does nothing else meanwhile.
    expect((await remote.said("refused")).length).toBeLessThan(derivations / 2);
    await remote.machine("arm1").setMode("well");
    await lab.commit({ "flake.nix": await sharingFlake(remote.lab, { hosts, kib: 5 }) });
    expect(verdictsOf(await lab.build())).toEqual(allBuilt);
    expect((await remote.said("built")).map(({ machine }) => machine)).toContain("arm1");
  });

  test("a machine that loses whatever it builds is left out, and the other one builds everything", async () => {
    const { lab, remote } = await startLab(["arm1", "arm2"]);
    await remote.machine("arm1").setMode("loses");
    const build = await lab.build();
    expect(verdictsOf(build), build.stderr).toEqual(allBuilt);
    expect(new Set((await remote.said("built")).map(({ machine }) => machine))).toEqual(new Set(["arm2"]));
    expect(build.state.warnings.filter((warning) => warning.includes("left out"))).toEqual([
      "the remote builder ssh://arm1 is left out for some minutes: it did not answer, or was lost",
    ]);
  });

  test("hosts that need a feature of no machine are skipped at once, and the others are built", async () => {
    const { lab } = await startLab(["arm1"]);
    const needs = (features: string): string => `{ requiredSystemFeatures = [ ${features} ]; }`;
    await lab.commit({
      "flake.nix": flakeOf(`{
        plain = host "plain" { };
        kvm = host "kvm" ${needs('"kvm"')};
        below = host "below" { dep = derive "vm" ${needs('"big-parallel" "kvm"')}; };
      }`),
    });
    const build = await lab.build();
    expect(build.verdicts, build.stderr).toEqual({ plain: "built", kvm: "skipped", below: "skipped" });
    expect(build.reasons).toMatchObject({
      kvm: "nixos-system-kvm: no builder for 'x86_64-linux' with features {kvm}",
      below: "vm: no builder for 'x86_64-linux' with features {big-parallel, kvm}",
    });
    expect(build.state.warnings).toEqual([]);
    expect(build.exitCode).toBe(3);
  });

  test("a machine of this machine's system that does not answer is named, and why", async () => {
    const { lab, remote } = await startLab(["arm1"]);
    await remote.machine("arm1").setMode("down");
    const build = await lab.build("host0");
    expect(build.reasons["host0"]).toBe(
      `common: no answer from the remote builder ssh://arm1: ${noRouteTo("arm1")} (tried 2 times)`,
    );
    expect(build.exitCode).toBe(3);
  });

  test("a line of nix.conf that Nix cannot read is the reason", async () => {
    const { lab } = await startLab(["arm1"]);
    await lab.configureNix("builders = ssh://arm1 x86_64-linux - many");
    const build = await lab.build("host0");
    expect(build.verdicts).toEqual({ host0: "infra-failed" });
    expect(build.reasons["host0"]).toContain(
      "bad machine specification: failed to convert column #3 in a row: 'ssh://arm1 x86_64-linux - many' to 'unsigned int'",
    );
  });

  test("a Nix daemon that trusts the builder leaves such a machine out as well", async () => {
    const { lab, remote } = await startLab(["arm1", "arm2"], { "trusted-users": "root" });
    await remote.machine("arm1").setMode("loses");
    await lab.startDaemon();
    const build = await lab.build();
    expect(verdictsOf(build), build.stderr).toEqual(allBuilt);
    expect(build.state.warnings).toContain(
      "the remote builder ssh://arm1 is left out for some minutes: it did not answer, or was lost",
    );
  });

  test("a Nix daemon that does not trust the builder goes on using it, and the build says so", async () => {
    const { lab, remote } = await startLab(["arm1", "arm2"], { "trusted-users": "nobody" });
    await remote.machine("arm1").setMode("loses");
    await lab.startDaemon();
    const build = await lab.build();
    const warnings = build.state.warnings.filter((warning) => warning.startsWith("the remote builder"));
    expect(warnings).toEqual([
      "the remote builder ssh://arm1 did not answer, or was lost; Nix may use it again, because its daemon lets only trusted users leave it out",
    ]);
    // All need it, and each time Nix sends it to the machine that has the least to do.
    const begun = await remote.said("begun");
    expect(begun.length).toBeGreaterThan(1);
    expect(new Set(begun.map(({ name, machine }) => `${name} ${machine}`))).toEqual(new Set(["common arm1"]));
    expect(new Set(verdictsOf(build))).toEqual(new Set(["infra-failed"]));
    expect(build.state.failures).toEqual([]);
    expect(build.exitCode).toBe(3);
  });

  test("metrics count what each machine builds, loses and refuses", async () => {
    await using homelab = await startHomelab({ "max-jobs": "0" });
    const remote = await addRemoteMachines(homelab.store, { names: ["arm1", "arm2", "away"] });
    await remote.machine("away").setMode("down");
    await remote.machine("arm1").setMode("dies", "nixos-system-host[1-9]*");
    const text = await sharingFlake(remote.lab, { hosts });
    await homelab.fleet.commit({}, { files: { "flake.nix": text } });
    const listen = `127.0.0.1:${await freePort()}`;
    await homelab.startBuilder("builder1", {}, { metrics: { listen } });
    const before = await samplesAt(listen);
    expect(
      new Set(before.map(({ labels }) => /machine="(?<uri>[^"]*)"/.exec(labels)?.groups?.["uri"])),
    ).toEqual(new Set(["ssh://arm1", "ssh://arm2", "ssh://away"]));
    const result = await homelab.run(["build", "--all"]);
    expect(result.exitCode, result.stderr).toBe(0);
    const after = await samplesAt(listen);
    const of = (name: string, labels: string): number =>
      after.find((sample) => sample.name === name && sample.labels === labels)?.value ?? Number.NaN;
    const [begun, built] = await Promise.all([remote.said("begun"), remote.said("built")]);
    for (const machine of ["arm1", "arm2"]) {
      const label = `machine="ssh://${machine}"`;
      const ended = (kind: string): number => of("derivations_total", `${label},result="${kind}"`);
      const on = (lines: typeof begun): number => lines.filter((line) => line.machine === machine).length;
      // What had ended there as it died may have been lost on its way back.
      const lost = machine === "arm1" ? ended("infra-failed") + ended("interrupted") : 0;
      const counts = JSON.stringify(after);
      expect(of("derivations_started_total", label), counts).toBeGreaterThanOrEqual(on(begun));
      expect(ended("built"), counts).toBeLessThanOrEqual(on(built));
      expect(ended("built"), counts).toBeGreaterThanOrEqual(on(built) - lost);
      expect(ended("failed")).toBe(0);
      expect(ended("built") + ended("infra-failed") + ended("interrupted")).toBe(
        of("derivations_started_total", label),
      );
    }
    expect(of("derivations_total", 'machine="ssh://arm1",result="infra-failed"')).toBeGreaterThan(0);
    expect(of("derivations_total", 'machine="ssh://arm2",result="infra-failed"')).toBe(0);
    expect(of("refusals_total", 'machine="ssh://away"')).toBeGreaterThan(0);
    expect(of("derivations_started_total", 'machine="ssh://away"')).toBe(0);
    expect(of("refusals_total", 'machine="ssh://arm2"')).toBe(0);
    const [lastGood, lastBad] = ["success", "failure"].map((kind) =>
      of(`last_${kind}_timestamp_seconds`, 'machine="ssh://arm1"'),
    );
    expect(lastBad).toBeGreaterThan(Date.now() / 1000 - 300);
    expect(lastBad).toBeGreaterThanOrEqual(lastGood ?? Number.NaN);
  });
});
