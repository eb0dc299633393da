// The product in the closures of a lab's hosts, with units as the NixOS module makes them: a listener without rights, the
// activator behind its socket, and recovery at boot.
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { encodeHostPolicy, type HostPolicy } from "../../../src/protocol/deploy/host-policy.ts";
import type { StorePath } from "../../../src/protocol/names.ts";
import type { SystemSpecification } from "./fake-systems.ts";
import type { Lab } from "./lab.ts";
import { unitText } from "./program-units.ts";

const root = join(import.meta.dirname, "../../..");
const LockFile = v.object({
  packages: v.record(v.string(), v.object({ dev: v.optional(v.boolean()), peer: v.optional(v.boolean()) })),
});

/**
 * Node, the program, and what it needs, as one store path: a process of it belongs to the closures that have it.
 *
 * @param compiled the directory of the program with its libraries, as it is shipped; the sources otherwise
 */
export async function addProduct(lab: Lab, compiled?: string): Promise<StorePath> {
  const directory = join(lab.sharedDirectory, "homelab-deploy");
  await mkdir(join(directory, "bin"), { recursive: true });
  await cp(join(root, "node_modules/node/bin/node"), join(directory, "bin/node"));
  const isShipped = compiled !== undefined;
  const [from, folder] = isShipped ? [compiled, "dist"] : [join(root, "src"), "src"];
  await cp(from, join(directory, folder), { recursive: true });
  await writeFile(join(directory, "bin/homelab-deploy"), wrapper(isShipped), { mode: 0o755 });
  await cp(join(root, "package.json"), join(directory, "package.json"));
  if (!isShipped) await addLibraries(directory);
  return lab.add("homelab-deploy");
}

async function addLibraries(directory: string): Promise<void> {
  const { packages } = v.parse(LockFile, JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")));
  const needed = Object.keys(packages).filter(
    (name) => name !== "" && packages[name]?.dev !== true && !name.includes("typescript"),
  );
  for (const name of needed) await cp(join(root, name), join(directory, name), { recursive: true });
}

/** As nix/package.nix makes it for what is compiled. */
function wrapper(isShipped: boolean): string {
  const flags = isShipped ? "${NODE_OPTIONS---max-semi-space-size=8} --use-system-ca " : "";
  const main = isShipped ? "dist/cli/main.js" : "src/cli/main.ts";
  return `#!/bin/sh\nhere=\${0%/bin/homelab-deploy}\nexec "$here/bin/node" ${flags}"$here/${main}" "$@"\n`;
}

export interface ProductSpecification {
  readonly product: StorePath;
  readonly policy: HostPolicy;
  /** Of the listener, below `nats`. */
  readonly nats: object;
  /** A file with its NATS key, which the listener may read. */
  readonly keyFile: string;
  /** Another one is another unit: the switch restarts it. */
  readonly listenerVersion?: string;
}

const journalDirectory = "/var/lib/homelab-deploy-host";
const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/** What of a system belongs to the product. */
export function productOf({
  product,
  policy,
  nats,
  keyFile,
  listenerVersion = "1",
}: ProductSpecification): SystemSpecification {
  const program = `${product}/bin/homelab-deploy`;
  const staying = { "X-StopOnRemoval": "false" };
  return {
    parts: [product],
    optional: ["homelab-deploy-activate@.service"],
    wants: [
      "homelab-deploy-activate.socket",
      "homelab-deploy-recover.service",
      "homelab-deploy-listener.service",
    ],
    etc: {
      "homelab-deploy/host.json": new TextDecoder().decode(encodeHostPolicy(policy)),
      "homelab-deploy/listener.json": JSON.stringify({ nats: { ...nats, nkeyFile: keyFile } }),
    },
    units: {
      "homelab-deploy-listener.service": unitText({
        Unit: {
          ...staying,
          StartLimitIntervalSec: "0",
          After: "homelab-deploy-activate.socket homelab-deploy-recover.service",
          "X-StopIfChanged": "false",
        },
        Service: {
          Type: "notify",
          NotifyAccess: "all",
          ExecStart: `${program} --config /etc/homelab-deploy/listener.json listener`,
          // The options of Node are the unit's in nix/modules/listener.nix.
          Environment: [path, `LISTENER_VERSION=${listenerVersion}`, "NODE_OPTIONS=--max-semi-space-size=1"],
          User: "nobody",
          Group: "nogroup",
          StateDirectory: "homelab-deploy-listener",
          Restart: "always",
          RestartSec: "1",
        },
      }),
      "homelab-deploy-activate.socket": unitText({
        Unit: staying,
        Socket: {
          ListenStream: "/run/homelab-deploy/activate.sock",
          SocketMode: "0660",
          SocketGroup: "nogroup",
          Accept: "true",
          TriggerLimitIntervalSec: "0",
        },
      }),
      "homelab-deploy-activate@.service": unitText({
        Unit: { ...staying, CollectMode: "inactive-or-failed", "X-RestartIfChanged": "false" },
        Service: {
          ExecStart: `${program} host answer --peer %i`,
          Environment: path,
          StandardInput: "socket",
          StandardOutput: "socket",
          StandardError: "journal",
        },
      }),
      "homelab-deploy-recover.service": unitText({
        Unit: { ...staying, "X-RestartIfChanged": "false", Before: "homelab-deploy-listener.service" },
        Service: {
          Type: "oneshot",
          RemainAfterExit: "true",
          ExecStartPre: [
            `/bin/mkdir -p ${journalDirectory}`,
            `/bin/chgrp nogroup ${journalDirectory}`,
            `/bin/chmod 2750 ${journalDirectory}`,
          ],
          ExecStart: `${program} host recover --boot`,
          Environment: path,
        },
      }),
    },
  };
}
