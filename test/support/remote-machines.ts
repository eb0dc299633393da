// Several remote builders without a network: an `ssh` of our own runs what Nix asks for. Each machine has a store of its
// own behind the same path, by a mount that only its processes see.
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ThrowAwayStore } from "./nix-store.ts";

/**
 * - `down`: nobody answers there
 * - `loses`: answers, and cuts its connections in the middle of what it builds
 * - `dies`: does so once, and then it is down
 * - `full`: its store has room for 64 KiB
 */
export type MachineMode = "well" | "down" | "loses" | "dies" | "full";

export interface RemoteMachine {
  readonly storeDirectory: string;
  /** @param at for `loses` and `dies`: at derivations of the fixture with such names */
  setMode(mode: MachineMode, at?: string): Promise<void>;
}

export interface RemoteMachines {
  /** Where builders find `where`, with the name of the machine that they are on, and leave what they want to say. */
  readonly lab: string;
  machine(name: string): RemoteMachine;
  /** The lines `name machine` that builders left in this file; in `refused`, one for each connection to a machine that is down. */
  said(
    file: "begun" | "built" | "refused",
  ): Promise<readonly { readonly name: string; readonly machine: string }[]>;
  /** Seconds of processor time of the programs that ran on the machines. */
  cpuSeconds(): Promise<number>;
}

export interface RemoteMachinesOptions {
  readonly names: readonly string[];
  /** For each: how many derivations it builds at a time. */
  readonly jobs?: number;
  readonly system?: string;
  readonly scheme?: "ssh" | "ssh-ng";
}

/** Only who may mount can have such machines. */
export const canHaveMachine = process.getuid?.() === 0;

export const noRouteTo = (name: string): string => `ssh: connect to host ${name} port 22: No route to host`;

/** Adds machines to the nix.conf of this store. */
export async function addRemoteMachines(
  { directory, storeDirectory, stateDirectory, logDirectory, configure }: ThrowAwayStore,
  { names, jobs = 2, system = "x86_64-linux", scheme = "ssh" }: RemoteMachinesOptions,
): Promise<RemoteMachines> {
  const lab = join(directory, "machines");
  const programs = join(directory, "bin");
  const conf = join(lab, "conf");
  const mounted = [storeDirectory, stateDirectory, logDirectory];
  for (const path of [programs, conf, ...mounted]) await mkdir(path, { recursive: true });
  for (const name of names) {
    for (const index of mounted.keys()) await mkdir(join(lab, name, `${index}`), { recursive: true });
    await writeFile(join(lab, name, "where"), name);
    await writeFile(join(lab, name, "mode"), "well");
  }
  await writeFile(join(lab, "where"), "here");
  await writeFile(
    join(conf, "nix.conf"),
    `experimental-features = nix-command flakes
sandbox = false
build-users-group =
substituters =
builders =
extra-platforms = ${system}
trusted-users = root
`,
  );
  const mounts = mounted.map((path, index) => `mount --bind $at/${index} ${path}`).join("; ");
  await writeFile(
    join(programs, "ssh"),
    `#!/bin/sh
name=$1
shift
at=${lab}/$name
mode=$(cat $at/mode)
[ $mode = dies ] && [ -e $at/hit ] && mode=down
while :; do
  case $1 in
    # Nix waits for what it echoes before it speaks.
    -oLocalCommand=*) waits=1;;
    --) shift; break;;
    -*) ;;
    *) break;;
  esac
  shift
done
command=$*
if [ $mode = down ]; then
  # As with a real ssh, Nix has written by then; what is ended sooner breaks its pipe, and it says that instead.
  [ -n "$waits" ] || head -c 1 >/dev/null
  echo "any $name" >> ${lab}/refused
  echo "${noRouteTo("$name")}" >&2
  exit 255
fi
[ -z "$waits" ] || echo started
export NIX_CONF_DIR=${conf} at command mode
exec 3<&0
unshare --mount sh -c '${mounts}; mount --bind $at/where ${lab}/where; [ $mode = full ] && mount -t tmpfs -o size=64k none ${storeDirectory}; exec $command' <&3 &
session=$!
case $mode in
  loses|dies)
    touch $at/session.$$
    (until [ $at/hit -nt $at/session.$$ ]; do kill -0 $session || exit; sleep 0.05; done; kill -9 $session $$) <&- >&- 2>&- 3<&- &
    ;;
esac
wait $session
status=$?
times | tail -n 1 >> ${lab}/times
exit $status
`,
  );
  await chmod(join(programs, "ssh"), 0o755);
  const lines = names.map((name) => `${scheme}://${name} ${system} - ${jobs} 1 - -`);
  await configure(`builders = ${lines.join(" ; ")}\n`);
  const linesOf = async (file: string): Promise<readonly string[]> =>
    (await readFile(join(lab, file), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  return {
    lab,
    machine: (name) => ({
      storeDirectory: join(lab, name, "0"),
      async setMode(mode, at = "*") {
        await rm(join(lab, name, "hit"), { force: true });
        await writeFile(join(lab, name, "hit-at"), mode === "loses" || mode === "dies" ? `${at}\n` : "\n");
        await writeFile(join(lab, name, "mode"), mode);
      },
    }),
    said: async (file) =>
      (await linesOf(file)).map((line) => {
        const [name = "", machine = ""] = line.split(" ");
        return { name, machine };
      }),
    cpuSeconds: async () =>
      (await linesOf("times"))
        .flatMap((line) => [...line.matchAll(/(?<minutes>\d+)m(?<seconds>[\d.]+)s/g)])
        .reduce((sum, { groups }) => sum + Number(groups?.["minutes"]) * 60 + Number(groups?.["seconds"]), 0),
  };
}

const fixture = join(import.meta.dirname, "../fixtures/remote-builders/flake.nix");

/** The text of test/fixtures/remote-builders/flake.nix with what it leaves open. */
export async function sharingFlake(
  lab: string,
  {
    hosts = 16,
    seconds = 0.2,
    kib = 4,
  }: { readonly hosts?: number; readonly seconds?: number; readonly kib?: number } = {},
): Promise<string> {
  const text = await readFile(fixture, "utf8");
  return text
    .replaceAll("@LAB@", lab)
    .replaceAll("@HOSTS@", `${hosts}`)
    .replaceAll("@SECONDS@", `${seconds}`)
    .replaceAll("@KIB@", `${kib}`);
}
