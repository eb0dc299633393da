import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as v from "valibot";
import { parseConfig } from "../../src/config/load.ts";
import { decodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { moduleOptions, moduleOptionsPage } from "../support/module-options-page.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import {
  checkedText,
  configurationOf,
  evaluateModules,
  type Evaluated,
  nixpkgsLibs,
  whyWithoutLib,
} from "../support/nixos-modules.ts";
import { analyze, renderSection, type UnitSection, whyWithoutSystemd } from "../support/systemd-unit.ts";

const root = join(import.meta.dirname, "../..");
const nixFiles = globSync(["flake.nix", "{nix,infra,test}/**/*.nix"], { cwd: root });

const natsServerProgram = process.env["NATS_SERVER_BIN"] ?? "nats-server";
const natsServer = spawnSync(natsServerProgram, ["--version"], { encoding: "utf8" });

let store: ThrowAwayStore;
beforeAll(async () => {
  store = await createThrowAwayStore();
});
afterAll(() => store.remove());

test("every file of Nix parses", async () => {
  expect(nixFiles.length).toBeGreaterThan(20);
  await store.run("nix-instantiate", "--parse", ...nixFiles.map((file) => join(root, file)));
});

test("docs/reference/module-options.md is what the modules declare (npm run docs)", () => {
  const page = readFileSync(join(root, "docs/reference/module-options.md"), "utf8");
  expect(page).toBe(moduleOptionsPage(moduleOptions()));
});

test("the users of infra/nats make a configuration that nats-server takes", async ({ skip }) => {
  skip(natsServer.error !== undefined, "there is no nats-server");
  const version = /v(?<version>[\d.]+)/.exec(natsServer.stdout)?.groups?.["version"] ?? "";
  const expression = `import ${join(root, "nix/modules/nats-arguments.nix")} {
    users = import ${join(root, "infra/nats/users.nix")};
    listen = "127.0.0.1:4222"; store = "${store.directory}/jetstream"; maxStoreGiB = 1; serverVersion = "${version}";
  }`;
  const args = v.parse(
    v.array(v.string()),
    JSON.parse(await store.run("nix-instantiate", "--eval", "--strict", "--json", "-E", expression)),
  );
  const config = execFileSync(process.execPath, [join(root, "src/cli/main.ts"), "nats", "config", ...args]);
  const file = join(store.directory, "nats.conf");
  writeFileSync(file, config);
  expect(spawnSync(natsServerProgram, ["-t", "-c", file], { encoding: "utf8" })).toMatchObject({ status: 0 });
  expect(String(config)).toContain("_INBOX_builder-nix-cache01");
});

test("the package fetches by name and hash what runs and what bundles, and nothing else", async () => {
  const read = (file: string) => `builtins.fromJSON (builtins.readFile ${join(root, file)})`;
  const expression = `import ${join(root, "nix/npm-packages.nix")} {
    package = ${read("package.json")}; packageLock = ${read("package-lock.json")};
    buildTools = [ "rolldown" ]; os = "linux"; cpu = "x64";
  }`;
  const Lock = v.object({
    package: v.object({
      dependencies: v.record(v.string(), v.string()),
      devDependencies: v.record(v.string(), v.string()),
    }),
    packageLock: v.object({
      packages: v.record(
        v.string(),
        v.object({ resolved: v.optional(v.string()), integrity: v.optional(v.string()) }),
      ),
    }),
  });
  const { package: manifest, packageLock } = v.parse(
    Lock,
    JSON.parse(await store.run("nix-instantiate", "--eval", "--strict", "--json", "-E", expression)),
  );
  expect(Object.keys(manifest.devDependencies)).toEqual(["rolldown"]);
  const { "": project, ...packages } = packageLock.packages;
  expect(project).toBeDefined();
  const wanted = [...Object.keys(manifest.dependencies), "rolldown", "@rolldown/binding-linux-x64-gnu"];
  expect(wanted.filter((name) => packages[`node_modules/${name}`] === undefined)).toEqual([]);
  expect(
    Object.keys(packages).filter((path) => /vitest|oxlint|win32|node_modules\/node$/.test(path)),
  ).toEqual([]);
  for (const { resolved, integrity } of Object.values(packages)) {
    expect(resolved).toMatch(
      /^https:\/\/registry\.npmjs\.org\/(?:@[^/]+\/)?(?<name>[^/]+)\/-\/\k<name>-\d[^/]*\.tgz$/,
    );
    expect(integrity).toMatch(/^sha512-/);
  }
});

const Units = v.record(v.string(), v.record(v.string(), v.any()));

/** What is wrong with a unit: nothing but a score of at most 2.0 is fine. */
function complaints(name: string, sections: Readonly<Record<string, UnitSection>>): readonly string[] {
  const directory = join(store.directory, "units");
  const text = Object.entries(sections)
    .map(([section, values]) => renderSection(section, values))
    .join("\n");
  const verified = analyze(directory, `${name}.service`, text, "verify");
  const judged = analyze(directory, `${name}.service`, text, "security", "--offline=true", "--threshold=20");
  return [
    ...(verified.status === 0 && verified.output === "" ? [] : [verified.output]),
    ...(judged.status === 0 ? [] : [judged.output]),
  ];
}

test("systemd finds nothing wrong with the services, and exposes them by 2.0 at most", async ({ skip }) => {
  const why = whyWithoutSystemd();
  skip(why !== undefined, why);
  const units = v.parse(
    Units,
    JSON.parse(
      await store.run(
        ...(["nix-instantiate", "--eval", "--strict", "--json"] as const),
        join(root, "nix/modules/units.nix"),
      ),
    ),
  );
  expect(Object.keys(units)).toHaveLength(8);
  for (const [name, service] of Object.entries(units)) {
    expect(complaints(name, { Unit: { Description: name }, Service: service })).toEqual([]);
  }
  const { MemoryDenyWriteExecute, ...builder } = units["homelab-deploy-builder"] ?? {};
  expect(MemoryDenyWriteExecute, "Node is killed with it").toBeUndefined();
  // That a unit can be too exposed.
  expect(
    complaints("open", {
      Service: { ...builder, PrivateUsers: false, RestrictNamespaces: false, SystemCallFilter: [] },
    }),
  ).not.toEqual([]);
});

test("the modules are evaluated with a real nixpkgs.lib, in the tests below", ({ skip }) => {
  skip(nixpkgsLibs.length === 0, whyWithoutLib);
  expect(nixpkgsLibs.map((lib) => existsSync(join(lib, "modules.nix")))).not.toContain(false);
});

describe.each(nixpkgsLibs)("with the nixpkgs.lib in %s", (lib) => {
  const evaluate = (
    configuration: string,
    harmonia?: "nested" | "flat" | "single-key" | "none",
    module = "default",
  ) => evaluateModules(store, lib, { configuration, module, harmonia });
  /** What Nix says against a configuration. */
  const refusal = async (configuration: string): Promise<string> =>
    evaluate(configuration).then(
      () => "",
      (error: unknown) => String(error),
    );
  const wholeFile = `import ${join(root, "test/nixos-modules/whole.nix")}`;
  let whole: Evaluated;
  beforeAll(async () => {
    whole = await evaluate(wholeFile);
  });

  test("a whole configuration has no complaints, and none without being enabled", async () => {
    expect([whole.failed, whole.warnings]).toEqual([[], []]);
    const nothing = await evaluate("{ }");
    expect(nothing).toMatchObject({
      failed: [],
      warnings: [],
      services: {},
      timers: {},
      ports: [],
      fileSystems: {},
    });
  });

  test("the program accepts the generated files, and secrets are credentials in them", () => {
    const builder = configurationOf(whole, "homelab-deploy-builder");
    const { config, warnings } = parseConfig(builder, "builder.json", "builder");
    expect(warnings).toEqual([]);
    expect(config.nats).toMatchObject({
      nkeyFile: "$CREDENTIALS_DIRECTORY/nats.nkeyFile",
      inboxPrefix: "_INBOX_builder-cache01",
    });
    expect(config.metrics.listen).toBe("[::]:9480");
    // A credential's name ends at a colon.
    expect(config.inputs.credentials["git.lan:8443"]?.tokenFile).toBe(
      "$CREDENTIALS_DIRECTORY/inputs.credentials.git.lan_8443.tokenFile",
    );
    expect(builder).not.toContain("/run/secrets");
    expect(whole.services["homelab-deploy-builder"]?.serviceConfig["LoadCredential"]).toEqual([
      "inputs.credentials.git.lan_8443.tokenFile:/run/secrets/input-token",
      "nats.nkeyFile:/run/secrets/builder.nk",
      "repos.nixos-servers.credentials.tokenFile:/run/secrets/git-token",
      "deploy-key:/run/secrets/deploy-key",
    ]);
    const update = parseConfig(configurationOf(whole, "homelab-deploy-update-nixos-servers"), "update.json");
    expect(Object.keys(update.config.repos)).toEqual(["nixos-servers"]);
    // A repo's service has the secrets of that repo only.
    const credentials = (unit: string): string =>
      String(whole.services[unit]?.serviceConfig["LoadCredential"]);
    expect(credentials("homelab-deploy-update-nixos-servers")).toContain("forge-token");
    expect(credentials("homelab-deploy-update-nixos")).not.toMatch(/git-token|forge-token/);
  });

  test("the deployer's file is one, and its keys and addresses are credentials in it", () => {
    const file = configurationOf(whole, "homelab-deploy-deployer");
    const { config, warnings } = parseConfig(file, "deployer.json", "deployer");
    expect(warnings).toEqual([]);
    expect(file).not.toContain("/run/secrets");
    expect(config.nats.inboxPrefix).toBe("_INBOX_deployer");
    const { keyFile, notify, metrics, rollouts, stateDirectory } = config.deployer;
    expect(keyFile).toBe("$CREDENTIALS_DIRECTORY/deployer.keyFile");
    expect(notify.ntfyFile).toBe("$CREDENTIALS_DIRECTORY/deployer.notify.ntfyFile");
    expect(metrics.listen).toBe("127.0.0.1:9483");
    const [rules] = Object.values(rollouts);
    expect(rules).toMatchObject({
      automatic: true,
      reboots: "in-window",
      waves: [{ wave: 0 }, { manual: true }],
    });
    const { serviceConfig, path } = whole.services["homelab-deploy-deployer"] ?? {};
    // It verifies commits.
    expect(path?.join(" ")).toMatch(/git.*openssh.*util-linux/);
    expect(serviceConfig?.["LoadCredential"]).toEqual([
      "deployer.keyFile:/run/secrets/deployer.key",
      "deployer.notify.ntfyFile:/run/secrets/ntfy-topic",
      "nats.nkeyFile:/run/secrets/deployer.nk",
      "repos.nixos-servers.credentials.sshKeyFile:/run/secrets/deployer-git",
    ]);
    // Where the program looks when it is not told otherwise.
    expect(`/var/lib/${String(serviceConfig?.["StateDirectory"])}`).toBe(stateDirectory);
  });

  const deployerOption = "services.homelab-deploy.deployer";
  test.each([
    [
      "keyFile = lib.mkForce null;",
      `${deployerOption}.keyFile is not set, and every order is signed with it: make a key with \`homelab-deploy keys create FILE\`, and set this to its path on the machine.`,
    ],
    [
      "rollouts = lib.mkForce { };",
      `${deployerOption}.rollouts is empty: name a repo, such as ${deployerOption}.rollouts.nixos-servers = { }.`,
    ],
    [
      'settings.deployer.notify.webhookFile = "/nix/store/hook";',
      `${deployerOption}.settings.deployer.notify.webhookFile: is in the Nix store, which everybody can read: name a file outside of it, such as one of sops-nix or agenix`,
    ],
    [
      "rollouts.all = { };",
      `${deployerOption}.settings.deployer.rollouts.all: is not a repo name that can be used: small letters, digits and - (not at an end), at most 63, and not all or any`,
    ],
    [
      "rollouts.nixos-servers.maxUnavailable = 0;",
      `${deployerOption}.settings.deployer.rollouts.nixos-servers.maxUnavailable: must be at least 1`,
    ],
    [
      'rollouts.nixos = { onFailure = "panic"; };',
      `${deployerOption}.settings.deployer.rollouts.nixos.onFailure: must be one of "halt", "rollback"`,
    ],
    [
      "nats.nkeyFile = lib.mkForce null;",
      expect.stringContaining(`${deployerOption}.nats.nkeyFile is not set`),
    ],
  ])("the deployer is refused with %s", async (line, message) => {
    const { failed } = await evaluate(
      `{ lib, ... }: { imports = [ (${wholeFile}) ]; ${deployerOption} = { ${line} }; }`,
    );
    expect(failed).toEqual([message]);
  });

  test("a signing key in the Nix store is no key of a deployer", async () => {
    const line = `${deployerOption}.keyFile = lib.mkForce "/nix/store/deployer.key";`;
    expect(await refusal(`{ lib, ... }: { imports = [ (${wholeFile}) ]; ${line} }`)).toMatch(
      /absolute path outside the Nix store/,
    );
  });

  test("a host does not trust its deployer with what is for people, whatever it calls it", async () => {
    const { failed } = await evaluate(`{ config, lib, ... }: {
      imports = [ (${wholeFile}) ];
      services.homelab-deploy.listener.trustedKeys.robot = {
        key = config.${deployerOption}.publicKey;
        may = [ "deploy" "downgrade" "drift" ];
      };
    }`);
    expect(failed).toEqual([
      `services.homelab-deploy.listener.trustedKeys.robot is the key of ${deployerOption}, and may downgrade and drift: take that out. Those are for keys of people.`,
    ]);
  });

  test("people on the builder have a command that is the builder: its user, configuration and secrets", () => {
    const { "homelab-deploy-builder": command, "homelab-deploy": program } = whole.commands;
    expect(program).toBeNull();
    expect(command).toContain(configurationOf(whole, "homelab-deploy-builder"));
    expect(command).toContain("CREDENTIALS_DIRECTORY=/run/credentials/homelab-deploy-builder.service");
    expect(command).toMatch(/runuser --user homelab-deploy -- .*\/homelab-deploy "\$@"/);
  });

  test("a switch ends neither a build nor an update, and the update's timers are as documented", () => {
    const { services, timers } = whole;
    expect(services["homelab-deploy-builder"]?.restartIfChanged).toBe(false);
    expect(services["homelab-deploy-update-nixos"]?.restartIfChanged).toBe(false);
    expect(timers["homelab-deploy-update-nixos-servers"]).toEqual({
      wantedBy: ["timers.target"],
      timerConfig: { OnCalendar: "Sun 02:00", RandomizedDelaySec: "15min", Persistent: true },
    });
    expect(timers["homelab-deploy-update-nixos"]?.timerConfig["OnCalendar"]).toBe("Sat 04:00");
    const { serviceConfig } = services["homelab-deploy-update-nixos"] ?? {};
    expect(serviceConfig?.["ExecStart"]).toContain(" --proposal-succeeds");
    expect(serviceConfig?.["RestartPreventExitStatus"]).toBe("1 2 4 70");
  });

  test("systemd finds nothing wrong with the units", ({ skip }) => {
    const why = whyWithoutSystemd();
    skip(why !== undefined, why);
    for (const [name, { unitConfig, serviceConfig }] of Object.entries(whole.services)) {
      if (name === "homelab-deploy-builder-renewal") continue; // it must speak with systemd, as root
      // The text of a file stands in the place of its path.
      const service = { ...serviceConfig, ExecStart: "/bin/true" };
      expect(complaints(name, { Unit: unitConfig, Service: service })).toEqual([]);
    }
  });

  test("the services may use Nix's daemon and are not trusted by it", async () => {
    expect(whole.nix.settings).toMatchObject({
      "trusted-users": ["root"],
      "extra-allowed-users": ["homelab-deploy", "homelab-deploy-update", "gitea-runner"],
    });
    const trusting = await evaluate(
      `{ lib, ... }: { imports = [ (${wholeFile}) ]; nix.settings.trusted-users = lib.mkForce [ "homelab-deploy" ]; }`,
    );
    expect(trusting.failed.join()).toMatch(/trusted-users makes homelab-deploy as good as root/);
  });

  test.each([
    ["extra-trusted-users", `nix.settings.extra-trusted-users = [ "homelab-deploy" ];`, "homelab-deploy"],
    ["its own group", `nix.settings.extra-trusted-users = [ "@homelab-deploy" ];`, "@homelab-deploy"],
    [
      "a group more",
      `nix.settings.extra-trusted-users = "root @wheel"; users.users.homelab-deploy.extraGroups = [ "wheel" ];`,
      "@wheel",
    ],
    [
      "a group by its members",
      `nix.settings.extra-trusted-users = [ "@admins" ]; users.groups.admins.members = [ "homelab-deploy" ];`,
      "@admins",
    ],
    ["lines of text", `nix.extraOptions = "extra-trusted-users = alice *\\n";`, "*"],
  ])("trust by %s is noticed too", async (_, settings, trusting) => {
    const { failed } = await evaluate(`{ lib, ... }: { imports = [ (${wholeFile}) ]; ${settings} }`);
    expect(failed.join()).toContain(`makes homelab-deploy as good as root: take ${trusting} out of it`);
  });

  test("neither a builder nor an update is possible without Nix", async () => {
    const { failed } = await evaluate(`{ lib, ... }: { imports = [ (${wholeFile}) ]; nix.enable = false; }`);
    expect(failed.filter((message) => message.includes("nix.enable is false"))).toHaveLength(2);
  });

  test("a nixpkgs without Node 24 is told so, and what to do", async () => {
    const expression = (node: string): string => `let lib = import ${lib}; in (lib.callPackageWith {
      inherit lib;
      stdenv = { buildPlatform = { isLinux = true; parsed.cpu.name = "x86_64"; canExecute = _: true; }; hostPlatform = { }; };
      buildNpmPackage = lib.id; installShellFiles = null; makeWrapper = null; removeReferencesTo = null; ${node}
    } ${join(root, "nix/package.nix")} { }).pname`;
    const nix = async (node: string) => store.run("nix-instantiate", "--eval", "-E", expression(node));
    await expect(nix("")).rejects.toThrow(
      /needs Node 24[.\d]*; this nixpkgs has no nodejs_24\. Take its package/,
    );
    await expect(nix(`nodejs_24.version = "24.1.0";`)).rejects.toThrow(/this nixpkgs has 24\.1\.0/);
    expect(await nix(`nodejs_24.version = "24.99.0"; importNpmLock = _: null;`)).toContain("homelab-deploy");
  });

  test("the packaged program obeys what NODE_OPTIONS says of its memory, as the listener's unit does", async () => {
    const expression = `let lib = import ${lib}; in (lib.callPackageWith {
      inherit lib;
      stdenv = { buildPlatform = { isLinux = true; parsed.cpu.name = "x86_64"; canExecute = _: false; }; hostPlatform = { }; };
      buildNpmPackage = lib.id; installShellFiles = null; makeWrapper = null; removeReferencesTo = null; importNpmLock = _: null;
      nodejs_24 = { type = "derivation"; version = "24.99.0"; outPath = "/node"; meta.mainProgram = "node"; };
    } ${join(root, "nix/package.nix")} { }).postInstall`;
    const postInstall = v.parse(
      v.string(),
      JSON.parse(await store.run("nix-instantiate", "--eval", "--json", "-E", expression)),
    );
    // What makeWrapper writes: its flags stand in a shell script as they are.
    const prepared = `set -e; out=$(mktemp -d); mkdir $out/bin; touch $out/bin/homelab-deploy
      installShellCompletion() { :; }; installManPage() { :; }
      makeWrapper() { printf 'echo %s\\n' "$4" > "$2"; }
      ${postInstall}
      sh $out/bin/homelab-deploy; NODE_OPTIONS=--max-semi-space-size=1 sh $out/bin/homelab-deploy; rm -r $out`;
    const [usual = "", listener = ""] = execFileSync("bash", ["-c", prepared], { encoding: "utf8" }).split(
      "\n",
    );
    expect(usual).toMatch(/^--max-semi-space-size=8 .*\/dist\/cli\/main\.js$/);
    expect(listener).toMatch(/^--max-semi-space-size=1 .*\/dist\/cli\/main\.js$/);
  });

  test.each(["nested", "flat", "single-key"] as const)(
    "a cache host sets Harmonia's %s options",
    async (names) => {
      const { failed, warnings, harmonia, nix, fileSystems, ports, runner, homelab } = await evaluate(
        wholeFile,
        names,
      );
      expect([failed, warnings]).toEqual([[], []]);
      expect(harmonia).toMatchObject({ enable: true, settings: { bind: "[::]:5000", priority: 30 } });
      expect([harmonia?.["signKeyPaths"] ?? harmonia?.["signKeyPath"]].flat()).toEqual([
        "/var/lib/homelab-deploy-cache/signing-key",
      ]);
      expect(nix.gc).toMatchObject({ automatic: true });
      expect(nix.settings).toMatchObject({ "min-free": 20 * 1024 ** 3, "max-free": 40 * 1024 ** 3 });
      expect(fileSystems["/nix"]).toMatchObject({
        fsType: "xfs",
        neededForBoot: true,
        device: "/dev/disk/by-label/nixstore",
      });
      expect(ports).toEqual([5000, 9480]);
      expect(runner["homelab-deploy"]).toMatchObject({ labels: ["nix-builder:host"], name: "cache01" });
      expect(homelab).toMatchObject({ host: { role: "build-host" } });
    },
  );

  test("a cache host without Harmonia's module, or against its settings, says so", async () => {
    const role = "services.homelab-deploy.cacheHost.enable = true;";
    expect((await evaluate(`{ ${role} }`, "none")).failed).toEqual([
      expect.stringContaining("needs the NixOS module of Harmonia"),
    ]);
    const against = `{ ${role} services.harmonia.cache.settings = { priority = 50; bind = "127.0.0.1:5000"; }; }`;
    expect((await evaluate(against)).failed).toEqual([
      expect.stringContaining("services.harmonia.cache.settings.bind is 127.0.0.1:5000"),
      expect.stringContaining("services.harmonia.cache.settings.priority is 50"),
    ]);
    const given = await evaluate(
      `{ ${role} services.homelab-deploy.cacheHost.signKeyFile = "/run/secrets/cache-key"; }`,
    );
    expect(given.harmonia).toMatchObject({ signKeyPaths: ["/run/secrets/cache-key"] });
    expect(given.services["homelab-deploy-cache-key"]?.environment).toEqual({});
  });

  test("wrong settings are refused before anything is built, each with what to do", async () => {
    const { failed } = await evaluate(`{
      services.homelab-deploy.builder = {
        enable = true;
        nats.servers = [ "tls://nats.lan:4222" ];
        metrics.openFirewall = true;
        settings.builder = { stateDirectory = "/srv/state"; keepCommits = 0; evaluation.workers = "many"; };
        settings.repos = {
          a = { url = "https://git.lan/a"; branhc = "main"; credentials.tokenFile = "/nix/store/token"; };
          b = { url = "https://git.lan/b"; credentials.tokenFile = "secrets/token"; };
          c = { url = "https://git.lan/c"; credentials.sshKeyFile = ./key; };
          all.url = "https://git.lan/d";
          e = { };
        };
      };
      services.homelab-deploy.update = {
        enable = true;
        nats.nkeyFile = "/run/a.nk";
        nats.credentialsFile = "/run/a.creds";
        settings.update.stateDirectory = "/srv";
        repos.other.startAt = "daily";
      };
    }`);
    const options = "services.homelab-deploy.builder";
    const expected = [
      `${options}.nats.nkeyFile is not set`,
      `${options}.settings.repos.a.credentials.tokenFile: is in the Nix store`,
      `${options}.settings.repos.b.credentials.tokenFile: must be an absolute path`,
      `${options}.settings.repos.c.credentials.sshKeyFile: is a path without quotes`,
      `${options}.settings.repos.all: is not a repo name`,
      `${options}.settings.repos.a.branhc: is not a setting; there are allowImportFromDerivation, allowOtherOwner`,
      `${options}.settings.repos.e.url: is needed`,
      `${options}.settings.builder.keepCommits: must be at least 1`,
      `${options}.settings.builder.evaluation.workers: must be "auto" or a whole number`,
      `${options}.settings.builder.stateDirectory must be below /var/lib`,
      `${options}.metrics.openFirewall opens a port that nothing listens on`,
      `${options}.metrics.openFirewall is of no use while`,
      "services.homelab-deploy.update.nats.servers is empty",
      "services.homelab-deploy.update.nats.nkeyFile and services.homelab-deploy.update.nats.credentialsFile exclude",
      "services.homelab-deploy.update.settings.repos is empty",
      "services.homelab-deploy.update.settings.update.stateDirectory cannot be set",
      "services.homelab-deploy.update.repos.other has times for a repo that is not in",
    ];
    expect(expected.filter((start) => !failed.some((message) => message.startsWith(start)))).toEqual([]);
    expect(failed).toHaveLength(expected.length);
  });

  test.each([
    [
      "builder.nats.nkeyFile = ./key;",
      /nats\.nkeyFile' is not of type `null or absolute path outside the Nix store, as a string/,
    ],
    ['builder.nats.nkeyFile = "/nix/store/key";', /absolute path outside the Nix store, as a string/],
    ['cacheHost.signKeyFile = "key";', /signKeyFile' is not of type `null or absolute path outside/],
    ['builder.nats.nkeyFil = "/run/k";', /nats\.nkeyFil' does not exist/],
    ["builder.metrics.port = 99999;", /metrics\.port' is not of type/],
    [
      'cacheHost.runner = { enable = true; url = "x"; tokenFile = "/r"; labels = [ "nix" ]; };',
      /runner\.labels.* is not of type/,
    ],
    [
      'builder.settings.repos.nixos-servers.url = "https://other.lan/a";',
      /repos\.nixos-servers\.url' has conflicting definition/,
    ],
  ])("%s does not evaluate", async (line, reason) => {
    expect(await refusal(`{ imports = [ (${wholeFile}) { services.homelab-deploy.${line} } ]; }`)).toMatch(
      reason,
    );
  });

  test("the names of existing hosts go on working, also where a configuration declares them itself", async () => {
    const hosts = `homelab.deploy.enable = true;
      services.homelab-deploy.listener.enable = false;
      homelab.host = { tier = "test"; priority = "low"; role = "dns"; labels.room = "attic"; };`;
    const declared = await evaluate(`{ lib, config, ... }: with lib; {
      options.homelab.deploy.enable = mkEnableOption "deployments";
      options.homelab.host = {
        tier = mkOption { type = types.enum [ "test" "prod" ]; default = "prod"; description = "tier"; };
        priority = mkOption { type = types.enum [ "high" "low" ]; default = "high"; description = "priority"; };
        role = mkOption { type = types.nullOr types.str; default = null; description = "role"; };
        labels = mkOption { type = types.attrsOf types.str; default = { }; description = "labels"; };
      };
      config = { ${hosts} };
    }`);
    expect(declared.homelab).toEqual({
      deploy: { enable: true },
      host: { tier: "test", priority: "low", role: "dns", labels: { room: "attic" } },
    });
    expect((await evaluate("{ }")).homelab).toEqual({
      deploy: { enable: false },
      host: { tier: "prod", priority: "high", role: null, labels: {} },
    });
    const former = await evaluate(`{ services.homelab-deploy.builder = {
      enable = true;
      natsUrl = "tls://old.lan:4222";
      nkeyFile = "/run/old.nk";
      settings.repos.a.url = "https://git.lan/a";
    }; }`);
    expect(former.failed).toEqual([]);
    expect(configurationOf(former, "homelab-deploy-builder")).toContain("tls://old.lan:4222");
  });

  test("the hosts of infra/nixos evaluate, and the files of the builder and the deployer are valid", async () => {
    let rollouts = "";
    for (const host of ["nix-cache01", "ns1", "web01"]) {
      const files = ["common.nix", `${host}.nix`].map((file) => join(root, "infra/nixos/hosts", file));
      const evaluated = await evaluate(
        `{ imports = [ ${files.join(" ")} { networking.hostName = "${host}"; } ]; }`,
      );
      expect([host, evaluated.failed, evaluated.warnings]).toEqual([host, [], []]);
      if (host === "ns1") rollouts = configurationOf(evaluated, "homelab-deploy-deployer");
      const policy = decodeHostPolicy(
        new TextEncoder().encode(checkedText(evaluated.files["homelab-deploy/host.json"] ?? "")),
      );
      expect(policy).toMatchObject({ repo: "nixos-servers", host, trustLocalBuilds: host === "nix-cache01" });
      if (host !== "nix-cache01") continue;
      const builder = configurationOf(evaluated, "homelab-deploy-builder");
      expect(parseConfig(builder, "builder.json", "builder").warnings).toEqual([]);
      const update = configurationOf(evaluated, "homelab-deploy-update-nixos-servers");
      expect(parseConfig(update, "update.json").warnings).toEqual([]);
    }
    expect(parseConfig(rollouts, "deployer.json", "deployer").warnings).toEqual([]);
  });

  test.each([
    ["builder", "machine", "homelab-deploy-builder"],
    ["update", "machine", "homelab-deploy-update-fleet"],
    ["cache", "cache", "homelab-deploy-cache-key"],
    ["deploy", "machine", "homelab-deploy-listener"],
  ])("the test %s for virtual machines has valid settings", async (name, node, unit) => {
    const evaluated = await evaluate(`let
      pkgs = { stdenv.hostPlatform.system = "x86_64-linux"; writeTextDir = _: _: "/x"; runCommand = _: _: _: "/x"; lib = import ${lib}; };
      vm = (import ${join(root, "nix/tests", name)}.nix { self.nixosModules.default = { }; } { inherit pkgs; }).nodes.${node};
      settings = if builtins.isFunction vm then vm { inherit pkgs; inherit (pkgs) lib; } else vm;
    in { services.homelab-deploy = settings.services.homelab-deploy; }`);
    expect([evaluated.failed, evaluated.warnings]).toEqual([[], []]);
    expect(Object.keys(evaluated.services)).toContain(unit);
    const file = configurationOf(evaluated, unit);
    expect(file === "" ? [] : parseConfig(file, "vm.json").warnings).toEqual([]);
  });

  test("docs/reference/module-options.md has the options that there are, and no others", () => {
    const documented = moduleOptions().map(({ name }) => name);
    expect(documented.toSorted()).toEqual(whole.optionNames.toSorted());
  });

  test.each(["builder", "update", "cache-host", "listener", "dashboard", "deployer"])(
    "the module %s works alone",
    async (module) => {
      expect(await evaluate("{ }", "nested", module)).toMatchObject({ failed: [], services: {} });
    },
  );
});
