// Nothing is built on the builder itself: Nix's remote builders build all of it.
import { describe, expect, onTestFinished, test } from "vitest";
import { derivationName } from "../../src/protocol/store-paths/derivation-name.ts";
import { createLocalLab, type LocalBuild, type LocalLab } from "../support/local-lab.ts";
import { canHaveMachine } from "../support/remote-machine.ts";
import { addRemoteMachines, sharingFlake, type RemoteMachines } from "../support/remote-machines.ts";

const hosts = 16;
/** The one that all share, one for each fourth of the hosts, and two for each host. */
const derivations = 1 + 4 + 2 * hosts;

async function startLab(
  names: readonly string[],
): Promise<{ readonly lab: LocalLab; readonly remote: RemoteMachines }> {
  const lab = await createLocalLab({}, { "max-jobs": "0" });
  onTestFinished(() => lab[Symbol.asyncDispose]());
  const remote = await addRemoteMachines(lab.store, { names });
  await lab.commit({ "flake.nix": await sharingFlake(remote.lab, { hosts }) });
  return { lab, remote };
}

const allBuilt = Array.from({ length: hosts }, () => "built");
const verdictsOf = ({ verdicts }: LocalBuild): readonly (string | undefined)[] => Object.values(verdicts);

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
    await remote.machine("arm1").dieAt("nixos-system-host[1-9]*");
    const build = await lab.build();
    expect(verdictsOf(build), build.stderr).toEqual(allBuilt);
    expect(build.exitCode).toBe(0);
    expect(build.state.failures).toEqual([]);
    const retries = build.events.flatMap((event) => (event.type === "retrying" ? [event.reason] : []));
    expect(retries.join("\n")).toMatch(/its build on ssh:\/\/arm1 was lost/);
    // What had ended there and was not fetched yet is built again, and nothing else is.
    const built = Map.groupBy(await remote.said("built"), ({ name }) => name);
    for (const places of built.values()) {
      if (places.length > 1) expect(places.map(({ machine }) => machine)).toEqual(["arm1", "arm2"]);
    }
    expect(built.size).toBe(derivations);
  });
});
