// The nats-server of `homelab-deploy up`: only on the loopback, with its streams in our state directory. It has the
// accounts that every server should have: whoever reaches it without a key is a client, the builder has a key.
import { randomUUID } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../base/files/make-directory.ts";
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import { userWithKey, type SignIn } from "../bus/server/own-key.ts";
import { serverConfig } from "../bus/server/server-config.ts";
import { natsServerProgram, natsServerVersion } from "./nats-server-version.ts";
import type { BuilderName } from "../protocol/names.ts";
import type { Exec } from "../process/exec.ts";
import type { Environment } from "../base/environment.ts";

export interface PrivateNats extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
  /** How the builder and the admin sign in. Nobody else needs a key. */
  readonly builder: SignIn;
  readonly admin: SignIn;
  /** Settles when the server has ended: with an error, unless it was told to. */
  readonly ended: Promise<void>;
}

export interface PrivateNatsOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly directory: string;
  readonly port: number;
  readonly builder: BuilderName;
  readonly clock: Clock;
}

const startMs = 10_000;

/**
 * @throws HomelabError `unavailable` when there is no nats-server, `refused` `PORT_IN_USE` when somebody listens
 *   on the port already.
 */
export async function startPrivateNats(
  options: PrivateNatsOptions,
  signal: AbortSignal,
): Promise<PrivateNats> {
  const { exec, environment, directory, port, builder: name, clock } = options;
  const env = { PATH: environment["PATH"] ?? "" };
  const version = await natsServerVersion(exec, env, signal);
  await makeDirectory(directory, { mode: 0o700 });
  await endLeftover(join(directory, "pid"), join(directory, "nats-server.conf"), clock);
  if (await listens(port)) {
    throw new HomelabError("refused", `port ${port} of this machine is in use`, {
      code: "PORT_IN_USE",
      hint: "choose another one with --port; to use the server that is there, run `homelab-deploy builder` with a configuration",
    });
  }
  const storeDirectory = join(directory, "jetstream");
  await adoptStreams(storeDirectory);
  const [admin, builder] = [
    await userWithKey(join(directory, "admin.nk"), { role: "admin" }),
    await userWithKey(join(directory, "builder.nk"), { role: "builder", name }),
  ];
  const file = join(directory, "nats-server.conf");
  const configuration = serverConfig({
    listen: `127.0.0.1:${port}`,
    storeDirectory,
    pidFile: join(directory, "pid"),
    serverVersion: version,
    users: [admin.user, builder.user],
    localPassword: randomUUID(),
  });
  await writeFile(file, configuration, { mode: 0o600 });

  const stopped = new AbortController();
  const running = exec(natsServerProgram, ["-c", file], { signal: stopped.signal, env, graceMs: 5000 });
  const ended = running.then(
    ({ stderrTail }) => {
      throw new HomelabError("unavailable", "nats-server has ended", {
        code: "NATS_ENDED",
        cause: new Error(lastLine(stderrTail)),
      });
    },
    (error: unknown) => {
      if (!stopped.signal.aborted) throw error;
    },
  );
  ended.catch(() => undefined); // whoever waits for it sees the error; nobody has to
  const stop = async (): Promise<void> => {
    stopped.abort(new Error("stopped"));
    await ended.catch(() => undefined);
  };
  try {
    const deadline = clock.monotonic() + startMs;
    while (!(await listens(port))) {
      if (clock.monotonic() > deadline)
        throw new HomelabError("unavailable", "nats-server does not start listening", { code: "NATS_ENDED" });
      await Promise.race([clock.sleep(25, signal), ended]);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `nats://127.0.0.1:${port}`;
  return { url, version, builder: builder.signIn, admin: admin.signIn, ended, [Symbol.asyncDispose]: stop };
}

/** Streams of a release in which this server had no accounts are in the server's global one. */
async function adoptStreams(storeDirectory: string): Promise<void> {
  const accounts = join(storeDirectory, "jetstream");
  // Fails where there is none, and where HOMELAB has streams already.
  await rename(join(accounts, "$G"), join(accounts, "HOMELAB")).catch(() => undefined);
}

/** A server of ours that outlived a killed `up` still has the port and the streams. */
async function endLeftover(pidFile: string, configFile: string, clock: Clock): Promise<void> {
  try {
    const pid = Number(await readFile(pidFile, "utf8"));
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
    if (!commandLine.split("\0").includes(configFile)) return;
    process.kill(pid, "SIGTERM");
    for (let i = 0; i < 100; i++) {
      process.kill(pid, 0);
      await clock.sleep(50);
    }
  } catch {
    // there is none (any more)
  }
}

async function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTcp({ host: "127.0.0.1", port });
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  const result = await promise;
  socket.destroy();
  return result;
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
