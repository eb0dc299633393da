// Several remote builders without a network: an `ssh` of our own runs what Nix asks for. Each machine has a store of its
// own behind the same path, by a mount that only its processes see.
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ThrowAwayStore } from "./nix-store.ts";

export interface RemoteMachine {
  readonly storeDirectory: string;
  /** Cuts its connections while it builds a derivation of the fixture with such a name; then nobody answers there. */
  dieAt(pattern: string): Promise<void>;
  /** Nobody answers there. */
  stop(): Promise<void>;
  /** Answers, and cuts each connection in the middle of what it builds. */
  loseAll(): Promise<void>;
}

export interface RemoteMachines {
  /** Where builders find `where`, with the name of the machine that they are on, and leave what they want to say. */
  readonly lab: string;
  machine(name: string): RemoteMachine;
  /** The lines `name machine` that builders left in this file. */
  said(file: "begun" | "built"): Promise<readonly { readonly name: string; readonly machine: string }[]>;
  /** Seconds of processor time of the programs that ran on the machines. */
  cpuSeconds(): Promise<number>;
}

export interface RemoteMachinesOptions {
  readonly names: readonly string[];
  /** For each: how many derivations it builds at a time. */
  readonly jobs?: number;
  readonly system?: string;
}

/** Adds machines to the nix.conf of this store. Only root may mount, which they need. */
export async function addRemoteMachines(
  { directory, storeDirectory, stateDirectory, logDirectory, configure }: ThrowAwayStore,
  { names, jobs = 2, system = "x86_64-linux" }: RemoteMachinesOptions,
): Promise<RemoteMachines> {
  const lab = join(directory, "machines");
  const programs = join(directory, "bin");
  const conf = join(lab, "conf");
  const mounted = [storeDirectory, stateDirectory, logDirectory];
  for (const path of [programs, conf, ...mounted]) await mkdir(path, { recursive: true });
  for (const name of names) {
    for (const index of mounted.keys()) await mkdir(join(lab, name, `${index}`), { recursive: true });
    await writeFile(join(lab, name, "where"), name);
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
  const mounts = mounted.map((path, index) => `mount --bind ${lab}/$name/${index} ${path}`).join("; ");
  await writeFile(
    join(programs, "ssh"),
    `#!/bin/sh
name=$1
[ -e ${lab}/$name/dies ] && [ ! -e ${lab}/$name/loses ] && { echo "ssh: connect to host $name port 22: No route to host" >&2; exit 255; }
shift
while :; do
  case $1 in
    # Nix waits for it before it speaks.
    "-oLocalCommand=echo started") echo started ;;
    --) shift; break ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
# One argument, or since 2.20 several; ssh sends them joined with spaces.
export NIX_CONF_DIR=${conf} name command="$*"
exec 3<&0
unshare --mount sh -c '${mounts}; mount --bind ${lab}/$name/where ${lab}/where; exec $command' <&3 &
session=$!
if [ -e ${lab}/$name/loses ]; then
  (sleep 1; kill -9 $session $$) <&- >&- 2>&- 3<&- &
elif [ -e ${lab}/$name/dies-at ]; then
  (until [ -e ${lab}/$name/dies ]; do kill -0 $session || exit; sleep 0.05; done; kill -9 $session $$) <&- >&- 2>&- 3<&- &
fi
wait $session
status=$?
times | tail -n 1 >> ${lab}/times
exit $status
`,
  );
  await chmod(join(programs, "ssh"), 0o755);
  const lines = names.map((name) => `ssh://${name} ${system} - ${jobs} 1 - -`);
  await configure(`builders = ${lines.join(" ; ")}\n`);
  const linesOf = async (file: string): Promise<readonly string[]> =>
    (await readFile(join(lab, file), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  return {
    lab,
    machine: (name) => ({
      storeDirectory: join(lab, name, "0"),
      dieAt: async (pattern) => writeFile(join(lab, name, "dies-at"), `${pattern}\n`),
      stop: async () => writeFile(join(lab, name, "dies"), ""),
      async loseAll() {
        await writeFile(join(lab, name, "loses"), "");
        await writeFile(join(lab, name, "dies-at"), "*\n");
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
