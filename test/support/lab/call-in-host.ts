// Runs inside a host: `node call-in-host.ts PORT METHOD ARGUMENTS-AS-JSON` calls one method of the real System or
// ClosureFetcher, and prints what it gives as JSON. Errors are printed as `{"error":{…}}`.
import { systemClock } from "../../../src/base/clock.ts";
import { HomelabError, messageOf } from "../../../src/base/errors.ts";
import { createClosureFetcher } from "../../../src/host/create-closure-fetcher.ts";
import { createSystem } from "../../../src/host/create-system.ts";
import { machineRoots } from "../../../src/host/host-roots.ts";
import { createCacheClient } from "../../../src/narinfo/cache-client.ts";
import { createExec } from "../../../src/process/create-exec.ts";

const exec = createExec();
const environment = { PATH: process.env["PATH"] ?? "", HOME: "/root" };

const createPort = {
  system: (): unknown =>
    createSystem({
      exec,
      environment,
      clock: systemClock,
      roots: machineRoots,
      outputFile: () => "/var/lib/homelab-deploy-host/switch.log",
    }),
  fetcher: (): unknown =>
    createClosureFetcher({
      exec,
      environment,
      clock: systemClock,
      caches: (process.env["LAB_CACHES"] ?? "").split(" ").map((url) =>
        createCacheClient({
          url,
          connections: 4,
          timeoutMs: 10_000,
          retry: { attempts: 2, firstDelayMs: 100, factor: 1, maxDelayMs: 100 },
          clock: systemClock,
        }),
      ),
      storeDirectory: "/nix/store",
      rootsDirectory: "/nix/var/nix/gcroots/homelab-deploy",
    }),
};

/** Methods whose last argument is no signal. */
const withoutSignal = ["rebootParts", "whyInhibited", "readFile", "dropRoot", "listRoots"];

const [port = "", name = "", json = "[]"] = process.argv.slice(2);
const stopped = new AbortController();
// Not `once`: where no listener stays, execa ends this process by the signal.
process.on("SIGTERM", () => stopped.abort(new Error("stopped")));

try {
  const create = createPort[port as keyof typeof createPort];
  const method = (create() as Record<string, (...args: unknown[]) => Promise<unknown>>)[name];
  if (method === undefined) throw new Error(`${port} has no ${name}`);
  const args = JSON.parse(json) as unknown[];
  const given = await method(...args, ...(withoutSignal.includes(name) ? [] : [stopped.signal]));
  console.log(JSON.stringify({ value: given instanceof Set ? [...given] : given }));
} catch (error) {
  const code = error instanceof HomelabError ? error.code : undefined;
  console.log(JSON.stringify({ error: { message: messageOf(error), code } }));
}
// Connections to caches are kept open.
process.exit();
