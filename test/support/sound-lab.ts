// A home lab in which nothing is wrong, for doctor to look at, with a place for each fault that a test plants: a
// builder's configuration with a cache, a forge, metrics, a pushgateway and a webhook.
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createForgeRig, type ForgeRig } from "./forge-rig.ts";
import { freePort } from "./free-port.ts";
import { startHomelab, type CommandResult, type Homelab } from "./start-homelab.ts";
import type { TestUser } from "./start-roles-server.ts";

/** As the file of a configuration has it. */
export type Settings = Record<string, unknown>;

export interface SoundLab extends AsyncDisposable {
  readonly homelab: Homelab;
  readonly forge: ForgeRig;
  /** Answers as a cache, a pushgateway and a webhook. */
  readonly world: { readonly url: string };
  /** The same, in the year 2015. */
  readonly past: { readonly url: string };
  /** A file for this test, readable for our user only. */
  file(name: string, text: string): Promise<string>;
  /** Beside that of the sound lab, in a directory of its own. */
  nixConf(lines: string): Promise<Readonly<Record<string, string>>>;
  /** The configuration in which nothing is wrong. */
  config(user?: TestUser): Settings;
  doctor(config: Settings, environment?: Readonly<Record<string, string>>): Promise<CommandResult>;
}

/** Nix's own form: the 32 bytes of the seed and the 32 of the public key. */
function newCacheKey(name: string): { readonly secret: string; readonly public: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-32);
  const point = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return {
    secret: `${name}:${Buffer.concat([seed, point]).toString("base64")}`,
    public: `${name}:${point.toString("base64")}`,
  };
}

export async function startSoundLab(): Promise<SoundLab> {
  await using starting = new AsyncDisposableStack();
  const key = newCacheKey("lab-1");
  const homelab = starting.use(
    await startHomelab({
      "trusted-public-keys": key.public,
      "trusted-users": "root",
      "allowed-users": "root",
      "sandbox-fallback": "false",
    }),
  );
  const forge = starting.use(await createForgeRig({ kind: "gitea" }));
  const world = starting.use(await serveWorld(homelab.store.storeDirectory));
  const past = starting.use(await serveWorld(homelab.store.storeDirectory, "Thu, 01 Jan 2015 00:00:00 GMT"));
  let files = 0;
  const file = async (name: string, text: string): Promise<string> => {
    const directory = join(homelab.directory, `planted-${++files}`);
    await mkdir(directory);
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  await homelab.fleet.commit({ hosts: 2, salt: "sound" }, { files: { "flake.lock": emptyLock } });
  await homelab.startBuilder();
  const [tokenFile, secretKeyFile, webhookFile, listen] = [
    await file("token", forge.server.bot.token),
    await file("cache.secret", key.secret),
    await file("webhook", `${world.url}/hook/secret`),
    `127.0.0.1:${await freePort()}`,
  ];
  const started = starting.move();
  return {
    homelab,
    forge,
    world,
    past,
    file,
    async nixConf(lines) {
      const at = await file(
        "nix.conf",
        `${await homelab.store.run("cat", join(homelab.store.directory, "conf/nix.conf"))}${lines}\n`,
      );
      return { NIX_CONF_DIR: join(at, "..") };
    },
    config: (user = "builder1") => ({
      nats: { servers: [homelab.server.url], ...homelab.server.settingsOf(user) },
      repos: {
        fleet: {
          url: homelab.fleet.url,
          branch: "main",
          update: {
            forge: {
              url: forge.server.url,
              owner: forge.server.state.owner,
              repository: forge.server.state.name,
              tokenFile,
            },
          },
        },
      },
      builder: {
        name: "b1",
        stateDirectory: join(homelab.directory, "b1"),
        evaluation: { workers: 1, maxMemoryMiB: 512 },
        build: { minFreeGiB: 0.01 },
      },
      cache: { url: world.url, publicKeys: [key.public], secretKeyFile },
      metrics: { listen, pushgateway: world.url },
      update: { webhookFile },
    }),
    async doctor(config, environment = {}) {
      const path = await file("config.json", JSON.stringify(config));
      await chmod(path, 0o600);
      return homelab.run(["--config", path, "doctor", "--json"], { environment });
    },
    [Symbol.asyncDispose]: async () => started.disposeAsync(),
  };
}

/** Real flakes have one; this one has no inputs. */
const emptyLock = JSON.stringify({ nodes: { root: {} }, root: "root", version: 7 });

async function serveWorld(
  storeDirectory: string,
  date?: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (date !== undefined) response.setHeader("date", date);
    const store = path.startsWith("/other") ? "/other/store" : storeDirectory;
    if (path.startsWith("/locked")) response.writeHead(401).end("who are you?");
    else if (path.endsWith("/nix-cache-info")) response.end(`StoreDir: ${store}\nPriority: 30\n`);
    else if (path.endsWith("/-/ready")) response.end("OK");
    else if (path === "/") response.end("<html>");
    else response.writeHead(404).end("no such page");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
