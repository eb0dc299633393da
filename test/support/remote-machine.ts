// A remote builder without a network: Nix starts the program of a machine named `localhost` itself instead of ssh. The
// machine has a store of its own behind the same path, by a mount that only its process sees.
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ThrowAwayStore } from "./nix-store.ts";

/**
 * - `down`: nobody answers. As with ssh, Nix has written by then; what is ended sooner breaks its pipe, and it says that instead
 * - `dies`: its process is killed when a builder has touched the file `started`
 * - `full`: its store has room for 64 KiB
 */
export type MachineMode = "well" | "down" | "dies" | "full";

export interface RemoteMachine {
  /** Where `mode` and `started` are. */
  readonly directory: string;
  setMode(mode: MachineMode): Promise<void>;
}

export const noRoute = "ssh: connect to host arm1 port 22: No route to host";

/** Only who may mount can have such a machine. */
export const canHaveMachine = process.getuid?.() === 0;

/** Adds a machine for aarch64-linux to the nix.conf of this store. */
export async function addRemoteMachine(
  store: ThrowAwayStore,
  scheme: "ssh" | "ssh-ng",
): Promise<RemoteMachine> {
  const directory = join(store.directory, "machine");
  const mounted = [store.storeDirectory, store.stateDirectory, store.logDirectory];
  for (const [index, path] of mounted.entries()) {
    await mkdir(join(directory, `${index}`), { recursive: true });
    await mkdir(path, { recursive: true });
  }
  const conf = join(directory, "conf");
  await mkdir(conf);
  await writeFile(
    join(conf, "nix.conf"),
    `experimental-features = nix-command flakes
sandbox = false
build-users-group =
substituters =
builders =
extra-platforms = aarch64-linux
trusted-users = root
`,
  );
  const program = join(directory, "serve.sh");
  const mounts = mounted.map((path, index) => `mount --bind ${directory}/${index} ${path}`).join("; ");
  const serve = scheme === "ssh" ? "nix-store" : "nix-daemon";
  await writeFile(
    program,
    `#!/bin/sh
mode=$(cat ${directory}/mode)
case $mode in
  down) head -c 1 >/dev/null; echo "${noRoute}" >&2; exit 255;;
  dies)
    touch ${directory}/session.$$
    (until [ ${directory}/started -nt ${directory}/session.$$ ]; do kill -0 $$ || exit; sleep 0.1; done; kill -9 $$) <&- >&- 2>&- &;;
esac
export NIX_CONF_DIR=${conf} mode
exec unshare --mount sh -c '${mounts}; [ $mode = full ] && mount -t tmpfs -o size=64k none ${store.storeDirectory}; exec ${serve} "$@"' sh "$@"
`,
  );
  await chmod(program, 0o755);
  await store.configure(
    `builders = ${scheme}://localhost?remote-program=${program} aarch64-linux - 2 1 - -\n`,
  );
  return {
    directory,
    setMode: async (mode) => writeFile(join(directory, "mode"), mode),
  };
}
