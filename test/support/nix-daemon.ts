import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ThrowAwayStore } from "./nix-store.ts";

export interface NixDaemon extends AsyncDisposable {
  /** That of the store, for who goes through the daemon. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A daemon of this store, as Nix is installed for several users. */
export async function startNixDaemon({
  directory,
  environment,
}: Pick<ThrowAwayStore, "directory" | "environment">): Promise<NixDaemon> {
  const socket = join(directory, "daemon.socket");
  const remote = { ...environment, NIX_REMOTE: "daemon", NIX_DAEMON_SOCKET_PATH: socket };
  // As a client, like all others, it would ask itself without end.
  const daemon = spawn("nix-daemon", {
    env: { ...remote, NIX_REMOTE: "local", HOME: directory },
    stdio: "ignore",
  });
  const isThere = async (): Promise<boolean> =>
    stat(socket).then(
      (found) => found.isSocket(),
      () => false,
    );
  while (!(await isThere())) await setTimeout(20);
  return {
    environment: remote,
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGTERM");
      await once(daemon, "exit");
      await rm(socket, { force: true });
    },
  };
}
