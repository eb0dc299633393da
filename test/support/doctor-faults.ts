// Faults as people make them, as data: what is planted, and what doctor has to say of it. One fault, one finding.
import { once } from "node:events";
import { chmod, mkdir } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { createSigningKey } from "../../src/signing/signing-key-file.ts";
import type { FleetToggles, CommitOptions } from "./fleet.ts";
import { startNatsServer } from "./nats-server.ts";
import type { Settings, SoundLab } from "./sound-lab.ts";
import { serveStore } from "./store-cache.ts";
import { startTlsFront } from "./tls-front.ts";

export interface Planted {
  readonly config: Settings;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Fault {
  readonly name: string;
  /** @param cleanUp runs its argument after the test */
  plant(lab: SoundLab, cleanUp: (end: () => unknown) => void): Promise<Planted> | Planted;
  /** The only finding beside those of the sound lab. */
  readonly check: string;
  readonly state: "wrong" | "warning" | "unknown";
  /** What is wrong, and what to do. */
  readonly says: RegExp;
  readonly advice: RegExp;
  /** Findings that are true as well, of what the fault stands on. */
  readonly also?: readonly string[];
}

/** Settings by their path: `set(config, "builder.name", "b2")`; the sound configuration stays as it is. */
function set(config: Settings, path: string, value: unknown): Settings {
  const [key = "", ...rest] = path.split(".");
  const inner = rest.length === 0 ? value : set((config[key] ?? {}) as Settings, rest.join("."), value);
  return { ...config, [key]: inner };
}

/** Only settings are wrong. */
const setting =
  (path: string, value: unknown): Fault["plant"] =>
  (lab) => ({ config: set(lab.config(), path, value) });

const inEnvironment =
  (environment: Readonly<Record<string, string>>): Fault["plant"] =>
  (lab) => ({ config: lab.config(), environment });

const inNixConf =
  (lines: string): Fault["plant"] =>
  async (lab) => ({ config: lab.config(), environment: await lab.nixConf(lines) });

/** A branch of the fleet with this on it. */
const onBranch =
  (branch: string, toggles: FleetToggles, options: CommitOptions = {}): Fault["plant"] =>
  async (lab) => {
    await lab.homelab.fleet.commit(toggles, { ...options, branch });
    // The forge has a repository of its own, without that branch.
    const config = set(lab.config(), "repos.fleet.update", {});
    return { config: set(config, "repos.fleet.branch", branch) };
  };

const unlockedFlake = `{
  inputs.gone.url = "git+file:///nonexistent/gone";
  outputs = { self, gone }: { nixosConfigurations.a.config.system.build.toplevel = gone.a; };
}`;

const forge = "repos.fleet.update.forge";

export const faults: readonly Fault[] = [
  // The configuration and its secrets.
  {
    name: "a setting that does not exist",
    plant: setting("builder.nmae", "b1"),
    check: "configuration",
    state: "wrong",
    says: /builder\.nmae/,
    advice: /./,
  },
  {
    name: "a setting that never matters",
    plant: setting("builder.build", { timeoutSeconds: 10, silenceSeconds: 20, minFreeGiB: 0 }),
    check: "configuration",
    state: "warning",
    says: /silenceSeconds: never matters/,
    advice: /correct it in/,
  },
  {
    name: "a key that is not there",
    plant: setting("nats.nkeyFile", "/nonexistent/key.nk"),
    check: "secret nats.nkeyFile",
    state: "wrong",
    says: /ENOENT/,
    advice: /put the secret there/,
  },
  {
    name: "a signing key to sign in with",
    plant: async (lab) => {
      const file = join(lab.homelab.directory, "signing.key");
      await createSigningKey(file);
      return { config: set(lab.config(), "nats.nkeyFile", file) };
    },
    check: "key nats.nkeyFile",
    state: "wrong",
    says: /contains a signing key/,
    advice: /nats keygen FILE/,
  },
  {
    name: "a key for NATS to sign statements with",
    plant: async (lab) => {
      const file = join(lab.homelab.directory, "statement.nk");
      await writeNewKey(file);
      const proven = set(lab.config(), "cache.verifyBuilds", true);
      return { config: set(proven, "builder.statementKeyFile", file) };
    },
    check: "key builder.statementKeyFile",
    state: "wrong",
    says: /contains a NATS key/,
    advice: /keys create FILE/,
  },
  {
    name: "an empty token",
    plant: async (lab) => ({ config: set(lab.config(), `${forge}.tokenFile`, await lab.file("empty", "")) }),
    check: "secret repos.fleet.update.forge.tokenFile",
    state: "wrong",
    says: /is empty/,
    advice: /put the secret there/,
  },
  {
    name: "a credential that only the service has",
    plant: setting("update.webhookFile", "$CREDENTIALS_DIRECTORY/webhook"),
    check: "secret update.webhookFile",
    state: "unknown",
    says: /only inside of the service/,
    advice: /systemd-run/,
  },
  // Nix.
  {
    name: "no Nix",
    plant: async (lab) => ({
      config: lab.config(),
      environment: { PATH: await programs(lab, ["git", "id"]) },
    }),
    check: "Nix",
    state: "wrong",
    says: /nix/,
    advice: /install|PATH/,
  },
  {
    name: "no group of build users",
    plant: inNixConf("build-users-group = nixbld-nobody-made"),
    check: "build users",
    state: "warning",
    says: /nixbld-nobody-made/,
    advice: /groupadd|useradd/,
  },
  {
    name: "a Nix daemon that is not there",
    plant: inEnvironment({ NIX_REMOTE: "daemon", NIX_DAEMON_SOCKET_PATH: "/nonexistent/socket" }),
    check: "trial build",
    state: "wrong",
    says: /cannot build the smallest thing/,
    advice: /nix-daemon\.socket/,
  },
  {
    name: "settings of flakes that are believed",
    plant: inNixConf("accept-flake-config = true"),
    check: "nix.conf accept-flake-config",
    state: "wrong",
    says: /is true/,
    advice: /accept-flake-config = false/,
  },
  {
    name: "a collector that runs beside builds",
    plant: inNixConf("min-free = 1000000"),
    check: "nix.conf min-free",
    state: "warning",
    says: /1000000/,
    advice: /min-free = 0/,
  },
  {
    name: "a substituter that is gone",
    plant: inNixConf("substituters = http://127.0.0.1:1"),
    check: "substituter http://127.0.0.1:1",
    state: "warning",
    says: /./,
    advice: /remove it from nix\.conf/,
  },
  {
    name: "a remote builder that does not answer",
    plant: inNixConf("builders = ssh://localhost?remote-program=/bin/false aarch64-linux - 2"),
    check: "remote builder ssh://localhost",
    state: "wrong",
    says: /cannot build there: .*nothing else builds for aarch64-linux/,
    advice: /nix store ping/,
  },
  {
    name: "a remote builder beside this machine that does not answer",
    plant: inNixConf("builders = ssh://localhost?remote-program=/bin/false - - 2"),
    check: "remote builder ssh://localhost",
    state: "warning",
    says: /cannot build there/,
    advice: /take it out of `builders`/,
  },
  {
    name: "certificate authorities that are not there",
    plant: inEnvironment({ NIX_SSL_CERT_FILE: "/nonexistent/ca.pem" }),
    check: "certificate authorities of NIX_SSL_CERT_FILE",
    state: "wrong",
    says: /\/nonexistent\/ca\.pem/,
    advice: /correct NIX_SSL_CERT_FILE/,
  },
  {
    name: "a hook after builds that fails",
    plant: inNixConf("post-build-hook = /nonexistent/hook"),
    check: "trial build",
    state: "wrong",
    says: /post-build-hook|\/nonexistent\/hook/,
    advice: /post-build-hook/,
  },
  {
    name: "a setting of nix.conf with a typing error",
    plant: inNixConf("max-jbos = 4"),
    check: "nix.conf max-jbos",
    state: "warning",
    says: /does not know this setting/,
    advice: /did you mean max-jobs/,
  },
  {
    name: "a line of nix.conf that Nix cannot read",
    plant: inNixConf("this is no setting"),
    check: "Nix",
    state: "wrong",
    says: /configuration line 'this is no setting'/,
    advice: /correct nix\.conf/,
  },
  {
    name: "nothing built here, and no remote builder",
    plant: inNixConf("max-jobs = 0"),
    check: "nix.conf max-jobs",
    state: "wrong",
    says: /there is no remote builder/,
    advice: /max-jobs = auto/,
  },
  // Room.
  {
    name: "no directory for temporary files",
    plant: inEnvironment({ TMPDIR: "/nonexistent/tmp" }),
    check: "temporary directory",
    state: "wrong",
    says: /\/nonexistent\/tmp/,
    advice: /TMPDIR/,
  },
  {
    name: "a floor above the disk",
    plant: setting("builder.build.minFreeGiB", 900_000),
    check: "store disk",
    state: "wrong",
    says: /no build begins below/,
    advice: /set builder\.build\.minFreeGiB/,
  },
  {
    name: "more memory for an evaluator than there is",
    plant: setting("builder.evaluation.maxMemoryMiB", 1_000_000),
    check: "evaluator memory",
    state: "wrong",
    says: /in all/,
    advice: /maxMemoryMiB to less/,
  },
  {
    name: "a state directory that cannot be",
    plant: setting("builder.stateDirectory", "/proc/x"),
    check: "state directory",
    state: "wrong",
    says: /\/proc\/x/,
    advice: /set builder\.stateDirectory/,
  },
  {
    name: "a state directory below a file",
    plant: async (lab) => ({
      config: set(lab.config(), "builder.stateDirectory", `${await lab.file("f", "")}/state`),
    }),
    check: "state directory",
    state: "wrong",
    says: /ENOTDIR/,
    advice: /set builder\.stateDirectory/,
  },
  {
    name: "a state directory in which everybody may write",
    plant: async (lab) => {
      const directory = join(lab.homelab.directory, "open-state");
      await mkdir(directory);
      await chmod(directory, 0o777);
      return { config: set(lab.config(), "builder.stateDirectory", directory) };
    },
    check: "state directory",
    state: "wrong",
    says: /other users can write/,
    advice: /chmod 700/,
  },
  // Repos.
  {
    name: "no git",
    plant: async (lab) => ({
      config: lab.config(),
      environment: { PATH: await programs(lab, ["id", "nix", "nix-build", "nix-store", "nix-instantiate"]) },
    }),
    check: "git",
    state: "wrong",
    says: /git/,
    advice: /install|PATH/,
  },
  {
    name: "no ssh for a repo that needs it",
    plant: async (lab) => {
      const config = set(lab.config(), "repos.fleet.update", {});
      const names = ["git", "id", "sh", "nix", "nix-build", "nix-store", "nix-instantiate"];
      return {
        config: set(config, "repos.fleet.url", "ssh://git@127.0.0.1/me/nixos.git"),
        environment: { PATH: await programs(lab, names) },
      };
    },
    check: "repo fleet",
    state: "wrong",
    says: /ssh: is not in the PATH/,
    advice: /install ssh/,
  },
  {
    name: "a branch with a typing error",
    plant: setting("repos.fleet.branch", "mian"),
    check: "repo fleet",
    state: "wrong",
    says: /no branch mian/,
    advice: /did you mean main/,
  },
  {
    name: "a remote that is gone",
    plant: setting("repos.fleet.url", "file:///nonexistent/fleet.git"),
    check: "repo fleet",
    state: "wrong",
    says: /nonexistent/,
    advice: /git ls-remote/,
  },
  {
    name: "a git server that is down",
    plant: setting("repos.fleet.url", "https://127.0.0.1:1/fleet.git"),
    check: "repo fleet",
    state: "wrong",
    says: /cannot read https:\/\/127\.0\.0\.1:1/,
    advice: /server is up/,
  },
  {
    name: "a directory without a flake",
    plant: setting("repos.fleet.directory", "hosts"),
    check: "flake of fleet",
    state: "wrong",
    says: /no hosts\/flake\.nix/,
    advice: /correct repos\.fleet\.directory/,
  },
  {
    name: "a repository without a commit",
    plant: async (lab) => {
      const directory = join(lab.homelab.directory, "empty.git");
      await lab.homelab.store.run("git", "init", "--quiet", "--bare", directory);
      const config = set(lab.config(), "repos.fleet.update", {});
      return { config: set(config, "repos.fleet.url", `file://${directory}`) };
    },
    check: "repo fleet",
    state: "wrong",
    says: /is empty/,
    advice: /push the flake/,
  },
  {
    name: "an input that nobody has locked",
    plant: onBranch("unlocked", {}, { files: { "flake.nix": unlockedFlake } }),
    check: "flake of fleet",
    state: "wrong",
    says: /nonexistent/,
    advice: /commit a flake\.lock that has each input/,
  },
  {
    name: "a repository without a flake",
    plant: onBranch("flakeless", {}, { files: { "flake.nix": "" } }),
    check: "flake of fleet",
    state: "wrong",
    says: /./,
    advice: /flake/,
  },
  {
    name: "a flake that does not parse",
    plant: onBranch("broken", {}, { files: { "flake.nix": "{ outputs = _: { nixosConfigurations = { }" } }),
    check: "flake of fleet",
    state: "wrong",
    says: /syntax error/,
    advice: /fix the flake|nix flake show/,
  },
  {
    name: "a flake without hosts",
    plant: onBranch("hostless", {}, { files: { "flake.nix": "{ outputs = _: { }; }" } }),
    check: "hosts of fleet",
    state: "wrong",
    says: /no nixosConfigurations/,
    advice: /add hosts/,
  },
  {
    name: "include that matches nothing",
    plant: setting("repos.fleet.include", ["hsot01"]),
    check: "hosts of fleet",
    state: "wrong",
    says: /include \(hsot01\) matches none/,
    advice: /did you mean host01/,
  },
  {
    name: "include that matches nothing beside one that does",
    plant: setting("repos.fleet.include", ["host0*", "web*"]),
    check: "hosts of fleet",
    state: "warning",
    says: /web\*/,
    advice: /include/,
  },
  {
    name: "exclude that leaves nothing",
    plant: setting("repos.fleet.exclude", ["host*"]),
    check: "hosts of fleet",
    state: "wrong",
    says: /leave none/,
    advice: /include/,
  },
  {
    name: "exclude with a typing error",
    plant: setting("repos.fleet.exclude", ["hots02"]),
    check: "hosts of fleet",
    state: "warning",
    says: /exclude has hots02/,
    advice: /did you mean host02/,
  },
  {
    name: "hosts of a system that nobody builds for",
    plant: onBranch("arm", { hosts: 2, system: "riscv64-linux" }),
    check: "evaluation of fleet",
    state: "wrong",
    says: /riscv64-linux/,
    advice: /remote builder/,
  },
  {
    name: "hosts that do not evaluate",
    plant: onBranch("throws", { hosts: 2, evalFail: { host01: "throw", host02: "throw" } }),
    check: "evaluation of fleet",
    state: "warning",
    says: /does not evaluate/,
    advice: /homelab-deploy build fleet\//,
  },
  {
    name: "an evaluation that takes too long",
    plant: async (lab) => {
      const { config } = await onBranch("hangs", { hosts: 1, evalFail: { host01: "hang" } })(lab, () => {});
      return { config: set(config, "builder.evaluation.timeoutSeconds", 3) };
    },
    check: "evaluation of fleet",
    state: "wrong",
    says: /host01/,
    advice: /timeoutSeconds/,
  },
  {
    name: "an update of an input that there is not",
    plant: setting("repos.fleet.update.inputs", ["nixpgks"]),
    check: "update inputs of fleet",
    state: "wrong",
    says: /nixpgks/,
    advice: /update\.inputs/,
  },
  // NATS.
  {
    name: "a NATS server that is down",
    plant: setting("nats.servers", ["nats://127.0.0.1:1"]),
    check: "NATS server",
    state: "wrong",
    says: /cannot be reached/,
    advice: /check that the server runs/,
  },
  {
    name: "a NATS server that says nothing",
    plant: async (lab, cleanUp) => {
      const sockets = new Set<Socket>();
      const silent = createServer((socket) => void sockets.add(socket)).listen(0, "127.0.0.1");
      await once(silent, "listening");
      cleanUp(() => {
        for (const socket of sockets) socket.destroy();
        silent.close();
      });
      const { port } = silent.address() as AddressInfo;
      return { config: set(lab.config(), "nats.servers", [`nats://127.0.0.1:${port}`]) };
    },
    check: "NATS server",
    state: "wrong",
    says: /cannot be reached/,
    advice: /check that the server runs/,
  },
  {
    name: "a key that the server does not know",
    plant: async (lab) => {
      const file = join(lab.homelab.directory, "stranger.nk");
      await writeNewKey(file);
      return { config: set(lab.config(), "nats.nkeyFile", file) };
    },
    check: "NATS server",
    state: "wrong",
    says: /does not accept our key/,
    advice: /nats\.nkeyFile/,
  },
  {
    name: "TLS where the server has none",
    plant: setting("nats.tls", {}),
    check: "NATS server",
    state: "wrong",
    says: /TLS/,
    advice: /TLS/,
  },
  {
    name: "the inbox of somebody else",
    plant: setting("nats.inboxPrefix", "_INBOX_operator"),
    check: "NATS inbox",
    state: "wrong",
    says: /no answers below _INBOX_operator/,
    advice: /set nats\.inboxPrefix to _INBOX_builder-b1/,
  },
  {
    name: "no inbox",
    plant: setting("nats.inboxPrefix", undefined),
    check: "NATS inbox",
    state: "wrong",
    says: /without nats\.inboxPrefix/,
    advice: /set nats\.inboxPrefix to _INBOX_builder-b1/,
  },
  {
    name: "the name of another builder",
    plant: setting("builder.name", "cache-02"),
    check: "builder name",
    state: "wrong",
    says: /builder b1, but the builder here is called cache-02/,
    advice: /set builder\.name to b1/,
  },
  {
    name: "the admin's key",
    plant: (lab) => ({ config: lab.config("admin") }),
    check: "NATS rights",
    state: "warning",
    says: /admin/,
    advice: /nats config --operator/,
    also: ["builders"],
  },
  {
    name: "the key of a role that may not ask",
    plant: (lab) => ({ config: lab.config("listener") }),
    check: "NATS rights",
    state: "wrong",
    says: /asking for builds/,
    advice: /nats config/,
    also: ["NATS limits", "NATS streams", "builders"],
  },
  {
    name: "a server without the streams",
    plant: async (lab, cleanUp) => {
      const server = await startNatsServer();
      cleanUp(async () => server[Symbol.asyncDispose]());
      return { config: { ...lab.config(), nats: { servers: [server.url] } } };
    },
    check: "NATS streams",
    state: "wrong",
    says: /there is no BUILD_REQUESTS/,
    advice: /nats setup/,
    // It has no users either.
    also: ["NATS accounts"],
  },
  {
    name: "a server without JetStream",
    plant: async (lab, cleanUp) => {
      const server = await startNatsServer(({ port }) => `listen: "127.0.0.1:${port}"\n`);
      cleanUp(async () => server[Symbol.asyncDispose]());
      return { config: { ...lab.config(), nats: { servers: [server.url] } } };
    },
    check: "NATS streams",
    state: "wrong",
    says: /JetStream/,
    advice: /enable JetStream/,
    also: ["NATS accounts"],
  },
  {
    name: "a JetStream domain that the server has not",
    plant: setting("nats.jetstreamDomain", "hubb"),
    check: "JetStream domain",
    state: "wrong",
    says: /may not ask the JetStream domain hubb/,
    advice: /remove nats\.jetstreamDomain/,
  },
  {
    name: "one of two servers that is down",
    plant: (lab) => ({
      config: set(lab.config(), "nats.servers", [lab.homelab.server.url, "nats://127.0.0.1:1"]),
    }),
    check: "NATS servers",
    state: "warning",
    says: /127\.0\.0\.1:1 cannot be reached/,
    advice: /check that the server runs/,
  },
  // Metrics and news.
  {
    name: "a metrics port that is in use",
    plant: async (lab, cleanUp) => {
      const other = createServer().listen(0, "127.0.0.1");
      await once(other, "listening");
      cleanUp(() => other.close());
      const address = other.address();
      const port = typeof address === "object" ? (address?.port ?? 0) : 0;
      return { config: set(lab.config(), "metrics.listen", `127.0.0.1:${port}`) };
    },
    check: "metrics address",
    state: "wrong",
    says: /another program listens/,
    advice: /another port/,
  },
  {
    name: "a metrics address that this machine has not",
    plant: setting("metrics.listen", "192.0.2.1:9480"),
    check: "metrics address",
    state: "wrong",
    says: /cannot listen on 192\.0\.2\.1/,
    advice: /address that this machine has/,
  },
  {
    name: "a pushgateway that is away",
    plant: setting("metrics.pushgateway", "http://127.0.0.1:1"),
    check: "pushgateway",
    state: "wrong",
    says: /cannot be reached/,
    advice: /metrics\.pushgateway/,
  },
  {
    name: "a pushgateway that is something else",
    plant: (lab) => ({ config: set(lab.config(), "metrics.pushgateway", lab.forge.server.url) }),
    check: "pushgateway",
    state: "warning",
    says: /404/,
    advice: /\/metrics\/job/,
  },
  {
    name: "a webhook that is no address",
    plant: async (lab) => ({
      config: set(lab.config(), "update.webhookFile", await lab.file("w", "chat.lan/x")),
    }),
    check: "webhook",
    state: "wrong",
    says: /does not contain a URL/,
    advice: /https:\/\//,
  },
  {
    name: "a webhook that is away",
    plant: async (lab) => ({
      config: set(lab.config(), "update.webhookFile", await lab.file("w", "http://127.0.0.1:1/secret")),
    }),
    check: "webhook",
    state: "wrong",
    says: /127\.0\.0\.1:1 cannot be reached/,
    advice: /update\.webhookFile/,
  },
  {
    name: "a script that may not be run",
    plant: async (lab) => ({
      config: set(lab.config(), "notify.script", [await lab.file("page.sh", "#!/bin/sh\n")]),
    }),
    check: "script for builds",
    state: "wrong",
    says: /EACCES/,
    advice: /chmod \+x/,
  },
  {
    name: "an ntfy server without a topic",
    plant: async (lab) => ({
      config: set(lab.config(), "notify.ntfyFile", await lab.file("ntfy", lab.world.url)),
    }),
    check: "ntfy",
    state: "wrong",
    says: /without a topic/,
    advice: /\/TOPIC into notify\.ntfyFile/,
  },
  // The cache.
  {
    name: "a cache that is down",
    plant: setting("cache.url", "http://127.0.0.1:1"),
    check: "cache",
    state: "wrong",
    says: /ECONNREFUSED|no answer/,
    advice: /cache/,
  },
  {
    name: "a cache below another path",
    plant: (lab) => ({ config: set(lab.config(), "cache.url", lab.forge.server.url) }),
    check: "cache",
    state: "wrong",
    says: /not that of a binary cache/,
    advice: /root of the cache/,
  },
  {
    name: "the cache of another store",
    plant: (lab) => ({ config: set(lab.config(), "cache.url", `${lab.world.url}/other`) }),
    check: "cache",
    state: "wrong",
    says: /\/other\/store/,
    advice: /cache of this store/,
  },
  {
    name: "a cache that wants a password",
    plant: (lab) => ({ config: set(lab.config(), "cache.url", `${lab.world.url}/locked`) }),
    check: "cache",
    state: "wrong",
    says: /401/,
    advice: /netrcFile/,
  },
  {
    name: "a cache without keys",
    plant: (lab) => ({
      config: set(set(lab.config(), "cache.publicKeys", []), "cache.secretKeyFile", undefined),
    }),
    check: "cache keys",
    state: "warning",
    says: /no public key of the cache/,
    advice: /cache\.publicKeys/,
  },
  {
    name: "a signing key that nobody trusts",
    plant: async (lab) => {
      const text = `lab-1:${Buffer.alloc(64, 7).toString("base64")}`;
      return { config: set(lab.config(), "cache.secretKeyFile", await lab.file("k", text)) };
    },
    check: "cache secret key",
    state: "wrong",
    says: /nobody trusts/,
    advice: /add its public key/,
  },
  {
    name: "a cache that signs with another key",
    plant: async (lab, cleanUp) => {
      const cache = await serveStore(lab.homelab.store);
      cleanUp(async () => cache[Symbol.asyncDispose]());
      return { config: set(lab.config(), "cache.url", cache.url) };
    },
    check: "cache signature",
    state: "wrong",
    says: /signs with no key of cache\.publicKeys/,
    advice: /set cache\.publicKeys/,
  },
  {
    name: "a cache that signs nothing",
    plant: async (lab, cleanUp) => {
      const cache = await serveStore(lab.homelab.store, { signs: false });
      cleanUp(async () => cache[Symbol.asyncDispose]());
      return { config: set(lab.config(), "cache.url", cache.url) };
    },
    check: "cache signature",
    state: "wrong",
    says: /signs nothing/,
    advice: /signing key/,
  },
  // The forge.
  {
    name: "a token that the forge does not know",
    plant: async (lab) => ({ config: set(lab.config(), `${forge}.tokenFile`, await lab.file("t", "wrong")) }),
    check: "forge of fleet",
    state: "wrong",
    says: /401/,
    advice: /valid access token/,
  },
  {
    name: "a forge that is down",
    plant: setting(`${forge}.url`, "http://127.0.0.1:1"),
    check: "forge of fleet",
    state: "wrong",
    says: /127\.0\.0\.1:1/,
    advice: /forge/,
  },
  {
    name: "the page of a repository in place of its forge",
    plant: (lab) => ({ config: set(lab.config(), `${forge}.url`, `${lab.forge.server.url}/home/nixos`) }),
    check: "forge of fleet",
    state: "wrong",
    says: /no Gitea or Forgejo at the forge's url/,
    advice: /start page/,
  },
  {
    name: "a token file with a name before the token",
    plant: async (lab) => ({
      config: set(lab.config(), `${forge}.tokenFile`, await lab.file("t", "update-bot\n0123456789abcdef\n")),
    }),
    check: "forge of fleet",
    state: "wrong",
    says: /spaces or controls/,
    advice: /the token alone/,
  },
  {
    name: "a repository that the forge has not",
    plant: setting(`${forge}.repository`, "nixos-severs"),
    check: "forge of fleet",
    state: "wrong",
    says: /404/,
    advice: /check owner and repository/,
  },
  {
    name: "a user that may not push",
    plant: async (lab) => {
      const { token } = lab.forge.server.state.addUser("reader", { canPush: false });
      return { config: set(lab.config(), `${forge}.tokenFile`, await lab.file("t", token)) };
    },
    check: "forge of fleet: repository",
    state: "wrong",
    says: /may not push/,
    advice: /collaborator/,
    also: ["forge of fleet: scope", "forge of fleet: branch main"],
  },
  {
    name: "a forge with a certificate of nobody's authority",
    plant: async (lab, cleanUp) => {
      const front = await startTlsFront(new URL(lab.forge.server.url).origin, lab.homelab.directory);
      cleanUp(async () => front[Symbol.asyncDispose]());
      return { config: set(lab.config(), `${forge}.url`, `${front.url}/git`) };
    },
    check: "forge of fleet",
    state: "wrong",
    says: /certificate of the forge at https:\/\/localhost:\d+ is not trusted/,
    advice: /update-ca-certificates/,
  },
  {
    name: "a cache with a certificate of nobody's authority",
    plant: async (lab, cleanUp) => {
      const front = await startTlsFront(lab.world.url, lab.homelab.directory);
      cleanUp(async () => front[Symbol.asyncDispose]());
      return { config: set(lab.config(), "cache.url", front.url) };
    },
    check: "cache",
    state: "wrong",
    says: /is not trusted/,
    advice: /NODE_EXTRA_CA_CERTS/,
  },
  {
    name: "a git server with a certificate of nobody's authority",
    plant: async (lab, cleanUp) => {
      const front = await startTlsFront(lab.world.url, lab.homelab.directory);
      cleanUp(async () => front[Symbol.asyncDispose]());
      const config = set(lab.config(), "repos.fleet.update", {});
      return { config: set(config, "repos.fleet.url", `${front.url}/fleet.git`) };
    },
    check: "repo fleet",
    state: "wrong",
    says: /is not trusted/,
    advice: /update-ca-certificates/,
  },
  {
    name: "https for a cache without TLS",
    plant: (lab) => ({ config: set(lab.config(), "cache.url", lab.world.url.replace("http:", "https:")) }),
    check: "cache",
    state: "wrong",
    says: /answers without TLS/,
    advice: /the port that has TLS/,
  },
  {
    name: "https for a git server without TLS",
    plant: (lab) => {
      const config = set(lab.config(), "repos.fleet.update", {});
      const url = `${lab.world.url.replace("http:", "https:")}/fleet.git`;
      return { config: set(config, "repos.fleet.url", url) };
    },
    check: "repo fleet",
    state: "wrong",
    says: /answers without TLS/,
    advice: /the port that has TLS/,
  },
  {
    name: "https for a forge without TLS",
    plant: (lab) => ({
      config: set(lab.config(), `${forge}.url`, lab.forge.server.url.replace("http:", "https:")),
    }),
    check: "forge of fleet",
    state: "wrong",
    says: /answers without TLS/,
    advice: /the port that has TLS/,
  },
  {
    name: "a clock of another year",
    plant: (lab) => ({ config: set(lab.config(), "cache.url", lab.past.url) }),
    check: "clock",
    state: "wrong",
    says: /ahead of/,
    advice: /timedatectl/,
  },
];

/** A directory with links to just these programs. */
async function programs({ homelab }: SoundLab, names: readonly string[]): Promise<string> {
  const directory = join(homelab.directory, `bin-${names.join("-")}`);
  await mkdir(directory, { recursive: true });
  for (const name of names)
    await homelab.store.run("sh", "-c", `ln -sf "$(command -v ${name})" ${directory}/`);
  return directory;
}
