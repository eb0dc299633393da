// Captures what the Nix in PATH says of remote builders, of outputs that it refuses and of downloads, as homelab-deploy
// runs it:
//   node test/support/capture-fault-logs.ts
// In what is written the throw-away store is /nix/store, and the directory around it /tmp/lab.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import { createExec } from "../../src/process/create-exec.ts";
import type { Exec } from "../../src/process/exec.ts";
import { StorePath } from "../../src/protocol/names.ts";
import { faultFlake, type FaultSet } from "./fault-builds.ts";
import { createFleet } from "./fleet.ts";
import { createThrowAwayStore } from "./nix-store.ts";
import { addRemoteMachines, type MachineMode } from "./remote-machines.ts";

interface Scenario {
  readonly set: FaultSet;
  readonly hosts: readonly string[];
  /** Over which protocols; none for this machine alone. */
  readonly machine?: MachineMode;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  our_remote_down: { set: "machine", hosts: ["web", "pi"], machine: "down" },
  our_remote_dies: { set: "machine", hosts: ["web", "pi"], machine: "loses" },
  our_remote_full: { set: "fullMachine", hosts: ["fills"], machine: "full" },
  our_remote_fails: { set: "machine", hosts: ["pi", "pibad"], machine: "well" },
  our_remote_judged: {
    set: "wellMachine",
    hosts: ["noout", "disallowed", "hash", "killed", "liar"],
    machine: "well",
  },
  our_refused: {
    set: "refused",
    hosts: ["good", "maxsize", "disallowed", "badspec", "perms", "flatdir", "fixedrefs", "twoouts"],
  },
  our_refused_and_ended: { set: "refused", hosts: ["good", "fifo"] },
};
const limits = { timeoutSeconds: 60, silenceSeconds: 60, maxJobs: 2, cores: 1 };
const anHour = AbortSignal.timeout(3_600_000);

for (const [name, { set, hosts, machine: mode }] of Object.entries(scenarios)) {
  for (const scheme of mode === undefined ? [undefined] : (["ssh", "ssh-ng"] as const)) {
    await capture(scheme === "ssh-ng" ? `${name}_ng` : name, set, hosts, scheme, mode);
  }
}

async function capture(
  name: string,
  set: FaultSet,
  hosts: readonly string[],
  scheme: "ssh" | "ssh-ng" | undefined,
  mode: MachineMode | undefined,
): Promise<void> {
  await using store = await createThrowAwayStore();
  const machines = { names: ["arm1"], system: "aarch64-linux", scheme };
  const remote = scheme === undefined ? undefined : await addRemoteMachines(store, machines);
  if (mode !== undefined) await remote?.machine("arm1").setMode(mode);
  await using fleet = await createFleet(store.directory);
  const lab = remote?.lab ?? store.directory;
  const flake = await faultFlake(set, { lab, url: "http://127.0.0.1:1", salt: name });
  const commit = await fleet.commit({}, { files: { "flake.nix": flake } });

  const said: Uint8Array[] = [];
  const exec = overheard(createExec(), said);
  const options = { environment: store.environment, stateDirectory: join(store.directory, "ours") };
  const nix = await createNix({ exec, ...options, clock: systemClock, log: silentLog }, anHour);
  const paths: StorePath[] = [];
  for (const host of hosts) {
    const attribute = `nixosConfigurations.${host}.config.system.build.toplevel.drvPath`;
    const reference = `git+file://${fleet.bare}?ref=refs/heads/main&rev=${commit}#${attribute}`;
    paths.push(v.parse(StorePath, await store.run("nix", "eval", "--raw", reference)));
  }
  said.length = 0;
  await nix.realise(paths, limits, () => undefined, anHour);
  const text = Buffer.concat(said)
    .toString("latin1")
    .replaceAll(store.storeDirectory, "/nix/store")
    .replaceAll(store.directory, "/tmp/lab");
  const file = join(import.meta.dirname, "../fixtures/nix-logs", nix.version, `${name}.log`);
  await writeFile(file, text, "latin1");
  process.stdout.write(`${nix.version} ${name}: ${text.length} bytes\n`);
}

/** The same, and what its processes say on stderr is kept. */
function overheard(exec: Exec, said: Uint8Array[]): Exec {
  return async (file, args, options) =>
    exec(file, args, {
      ...options,
      async onStderr(chunk) {
        said.push(chunk);
        await options.onStderr?.(chunk);
      },
    });
}
