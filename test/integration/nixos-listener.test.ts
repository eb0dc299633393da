// What the NixOS modules make of a host that is deployed to: its policy, its units, and what they refuse.
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { decodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import {
  checkedText,
  configurationOf,
  evaluateModules,
  type Evaluated,
  nixpkgsLibs,
  whyWithoutLib,
} from "../support/nixos-modules.ts";

const root = join(import.meta.dirname, "../..");
const hostFile = `import ${join(root, "test/nixos-modules/listener.nix")}`;
const option = "services.homelab-deploy.listener";
const key = (letter: string): string => `A${letter.repeat(55)}`;

let store: ThrowAwayStore;
beforeAll(async () => {
  store = await createThrowAwayStore();
});
afterAll(() => store.remove());

test("the modules are evaluated with a real nixpkgs.lib, in the tests below", ({ skip }) => {
  skip(nixpkgsLibs.length === 0, whyWithoutLib);
  expect(nixpkgsLibs.map((lib) => existsSync(join(lib, "modules.nix")))).not.toContain(false);
});

const policyIn = ({ files }: Evaluated) =>
  decodeHostPolicy(new TextEncoder().encode(checkedText(files["homelab-deploy/host.json"] ?? "")));

describe.each(nixpkgsLibs)("with the nixpkgs.lib in %s", (lib) => {
  const evaluate = (configuration: string, module = "default") =>
    evaluateModules(store, lib, { configuration, module });
  /** The host with a line more, or with one that replaces its own. */
  const hostWith = (lines: string): string => `{ lib, ... }: { imports = [ (${hostFile}) ]; ${lines} }`;
  const refusals = async (lines: string): Promise<readonly string[]> =>
    evaluate(hostWith(lines)).then(
      ({ failed }) => failed,
      (error: unknown) => [String(error)],
    );
  let host: Evaluated;
  beforeAll(async () => {
    host = await evaluate(hostFile);
  });

  test("the product reads the policy that the module writes", () => {
    expect([host.failed, host.warnings]).toEqual([[], []]);
    expect(policyIn(host)).toEqual({
      repo: "nixos-servers",
      host: "web01",
      system: "x86_64-linux",
      tier: "test",
      role: "dns",
      labels: { room: "attic" },
      wave: 0,
      serves: ["dns"],
      builtAfter: "2026-11-28T12:00:00Z",
      trustedKeys: [
        {
          name: "deployer",
          key: "ACZ3BXVSLR2GJBX5MCN7IFZXV45J4OVN2WZ3A3VJQ4HMLXJ5FSNCTF2Z",
          may: ["deploy", "rollback", "reboot"],
          tiers: ["test"],
        },
        {
          name: "kai",
          key: "ADO7LPRKHNBGTPG4ZWI3LXIGHZPDIJSDBHB3OXKJ4QUHVJKJ4VQ3QEZM",
          may: ["deploy", "rollback", "reboot", "downgrade", "drift", "remove-listener"],
          notAfter: "2027-01-31T00:00:00Z",
        },
      ],
      trustedBuilders: [
        { name: "nix-cache01", key: "ABJHLOVDXNVQ3LNEFNJTZR6QZ5ZO3WBG6XO6QBZDGBOLSYYTT3NSUOLN" },
      ],
      allowedBranches: ["master", "release/26.05"],
      trustedCacheKeys: [
        "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=",
        "nix-cache01-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      ],
      trustLocalBuilds: false,
      keepGenerations: 10,
      keepDays: 14,
      minFreeBytes: 1024 ** 3,
      ignoreFailedUnits: ["fwupd-refresh.service"],
      healthChecks: [
        { name: "dns", tcp: "127.0.0.1:53", timeout: 60, every: 2, critical: true },
        {
          name: "job",
          exec: ["/run/current-system/sw/bin/true", "--now"],
          timeout: 60,
          every: 2,
          critical: true,
        },
        { name: "nginx", unit: "nginx.service", timeout: 60, every: 2, critical: true },
        { name: "page", http: "http://127.0.0.1/", timeout: 90, every: 2, critical: false },
      ],
      witnesses: ["http://nix-cache01.lan:5000", "https://cache.nixos.org/"],
      natsServers: ["tls://nats.lan:4222"],
      listenerUnit: "homelab-deploy-listener.service",
      timeouts: { fetch: 14_400, activate: 600, settle: 15, confirm: 120, hold: 1800 },
      hold: "a disk is being replaced",
      migration: false,
    });
  });

  test.each([
    [".20261129.abcdef0", "2026-11-29T00:00:00Z"],
    [".20261101.abcdef0", "2026-11-28T12:00:00Z"],
    ["pre-git", "2026-11-28T12:00:00Z"],
  ])("its clock is held to the later one of homelab-deploy and nixpkgs: %s", async (suffix, builtAfter) => {
    const evaluated = await evaluate(hostWith(`system.nixos.versionSuffix = "${suffix}";`));
    expect(policyIn(evaluated).builtAfter).toBe(builtAfter);
  });

  test("the policy is checked while it is built, by the command that there is", () => {
    expect(host.files["homelab-deploy/host.json"]).toContain("/bin/homelab-deploy host check-policy {");
    const file = join(store.directory, "host.json");
    writeFileSync(file, checkedText(host.files["homelab-deploy/host.json"] ?? ""));
    const check = (path: string) =>
      spawnSync(process.execPath, [join(root, "src/cli/main.ts"), "host", "check-policy", path], {
        encoding: "utf8",
      });
    expect(check(file)).toMatchObject({ status: 0, stdout: expect.stringContaining("nixos-servers/web01") });
    writeFileSync(file, "{}");
    expect(check(file)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("this host policy is not valid"),
    });
  });

  test("the limits that the module declares are the product's own", async () => {
    const bare = await evaluate(`{
      networking.hostName = "ns1";
      services.homelab-deploy.listener = {
        enable = true; repo = "r"; nats.servers = [ "nats://n:4222" ];
        trustedCacheKeys = [ "c-1:AAAA" ];
        trustedKeys.a.key = "${key("B")}"; trustedBuilders.b.key = "${key("C")}";
      };
    }`);
    expect(bare.failed).toEqual([]);
    const { keepGenerations, keepDays, minFreeBytes, timeouts } = policyIn(bare);
    const least = { repo: "r", host: "ns1", system: "x86_64-linux", trustedKeys: [], trustedBuilders: [] };
    const lists = { allowedBranches: [], trustedCacheKeys: [], natsServers: [] };
    expect(decodeHostPolicy(new TextEncoder().encode(JSON.stringify({ ...least, ...lists })))).toMatchObject({
      keepGenerations,
      keepDays,
      minFreeBytes,
      timeouts,
    });
  });

  test("the listener has its key as a credential, and the program accepts its file", () => {
    const text = configurationOf(host, "homelab-deploy-listener");
    const { config, warnings } = parseConfig(text, "listener.json");
    expect(warnings).toEqual([]);
    expect(config.nats).toMatchObject({
      servers: ["tls://nats.lan:4222"],
      nkeyFile: "$CREDENTIALS_DIRECTORY/nats.nkeyFile",
    });
    expect(host.services["homelab-deploy-listener"]?.serviceConfig["LoadCredential"]).toEqual([
      "nats.nkeyFile:/run/secrets/listener.nk",
    ]);
  });

  test("a host without a key of its own makes one, so none is loaded", async () => {
    const alone = await evaluate(hostWith(`${option}.nats.nkeyFile = lib.mkForce null;`));
    expect(alone.failed).toEqual([]);
    expect(alone.services["homelab-deploy-listener"]?.serviceConfig["LoadCredential"]).toEqual([]);
    expect(configurationOf(alone, "homelab-deploy-listener")).not.toContain("nkeyFile");
  });

  test("no switch makes the host deaf, or ends what carries it", () => {
    const { services, sockets } = host;
    const listener = services["homelab-deploy-listener"];
    expect(listener).toMatchObject({
      restartIfChanged: true,
      stopIfChanged: false,
      unitConfig: { StartLimitIntervalSec: 0, "X-StopOnRemoval": false },
      serviceConfig: {
        Type: "notify",
        NotifyAccess: "all",
        Restart: "always",
        User: "homelab-deploy-listener",
      },
    });
    expect(services["homelab-deploy-activate@"]).toMatchObject({
      restartIfChanged: false,
      wantedBy: [],
      unitConfig: { "X-StopOnRemoval": false, CollectMode: "inactive-or-failed" },
      serviceConfig: {
        StandardInput: "socket",
        StandardOutput: "socket",
        StandardError: "journal",
        RestrictAddressFamilies: ["AF_UNIX"],
        IPAddressDeny: "any",
      },
    });
    expect(services["homelab-deploy-activate@"]?.serviceConfig["User"]).toBeUndefined();
    expect(services["homelab-deploy-activate@"]?.serviceConfig["ExecStart"]).toMatch(
      / host answer --peer %i$/,
    );
    expect(services["homelab-deploy-recover"]).toMatchObject({
      restartIfChanged: false,
      before: ["homelab-deploy-listener.service"],
      unitConfig: { "X-StopOnRemoval": false, StartLimitIntervalSec: 0 },
      serviceConfig: { Type: "oneshot", RemainAfterExit: true, Restart: "on-failure" },
    });
    expect(sockets["homelab-deploy-activate"]).toEqual({
      unitConfig: { "X-StopOnRemoval": false },
      socketConfig: {
        ListenStream: "/run/homelab-deploy/activate.sock",
        SocketMode: "0660",
        SocketUser: "root",
        SocketGroup: "homelab-deploy-listener",
        Accept: true,
        MaxConnections: 8,
        TriggerLimitIntervalSec: 0,
      },
    });
  });

  test("root's units find the programs of src/host, and use the store without the daemon", () => {
    for (const unit of ["homelab-deploy-activate@", "homelab-deploy-recover"]) {
      expect(host.services[unit]?.path).toEqual(
        expect.arrayContaining(["nix", "systemd", "util-linux", "coreutils"]),
      );
      expect(host.services[unit]?.environment["NIX_REMOTE"]).toBeUndefined();
    }
    expect(host.services["homelab-deploy-listener"]?.environment["NIX_REMOTE"]).toBe("daemon");
  });

  test("metrics are served where the options say, and not at all without", async () => {
    const listenOf = (evaluated: Evaluated): unknown =>
      parseConfig(configurationOf(evaluated, "homelab-deploy-listener"), "listener.json").config.listener
        .metrics.listen;
    expect(listenOf(host)).toBeUndefined();
    expect(host.ports).toEqual([]);
    const open = await evaluate(
      hostWith(`${option}.metrics = { enable = true; address = "::"; openFirewall = true; };`),
    );
    expect(open.failed).toEqual([]);
    expect([listenOf(open), open.ports]).toEqual(["[::]:9481", [9481]]);
    expect(await refusals(`${option}.metrics = { enable = true; openFirewall = true; };`)).toEqual([
      expect.stringContaining(`${option}.metrics.openFirewall is of no use while`),
    ]);
    expect(await refusals(`${option}.metrics = { address = "[::]"; openFirewall = true; };`)).toEqual([
      expect.stringContaining(`${option}.metrics.openFirewall opens a port that nothing listens on`),
    ]);
  });

  test("the listener's memory is bounded, and the activator's program is as it was", () => {
    const optionsOf = (name: string) => host.services[name]?.environment["NODE_OPTIONS"];
    expect(optionsOf("homelab-deploy-listener")).toBe("--max-semi-space-size=1");
    expect(optionsOf("homelab-deploy-activate@")).toBeUndefined();
  });

  test("the journal is root's, apart from the builder's directory, and readable for the listener", () => {
    expect(host.tmpfiles).toEqual(["d /var/lib/homelab-deploy-host 2750 root homelab-deploy-listener -"]);
    expect(host.services["homelab-deploy-recover"]?.serviceConfig["ReadWritePaths"]).toEqual([
      "/var/lib/homelab-deploy-host",
    ]);
  });

  test("a host that only said homelab.deploy.enable is told whom to trust", async () => {
    const { failed } = await evaluate("{ homelab.deploy.enable = true; }");
    expect(failed).toEqual(
      [
        `${option}.trustedKeys is empty, so this host would obey nobody: make a key with \`homelab-deploy keys create FILE\``,
        `${option}.trustedBuilders is empty`,
        `${option}.repo is not set`,
        `${option}.nats.servers is empty`,
      ].map((start) => expect.stringContaining(start)),
    );
    const off = await evaluate(`{ homelab.deploy.enable = true; ${option}.enable = false; }`);
    expect(off).toMatchObject({ failed: [], warnings: [], services: {}, files: {} });
  });

  test.each([
    ["no trusted key", "trustedKeys = lib.mkForce { };", /trustedKeys is empty/],
    ["no builder", "trustedBuilders = lib.mkForce { };", /trustedBuilders is empty/],
    [
      "the secret half of a key",
      `trustedKeys.kai.key = lib.mkForce "SA${"B".repeat(56)}";`,
      /trustedKeys\.kai\.key is the secret half of a key\. .* make a new one/,
    ],
    [
      "a key for NATS",
      `trustedKeys.kai.key = lib.mkForce "U${"B".repeat(55)}";`,
      /trustedKeys\.kai\.key is a key for signing in to NATS/,
    ],
    [
      "a key that is none",
      `trustedBuilders.nix-cache01.key = lib.mkForce "AB";`,
      /nix-cache01\.key is not a signing key/,
    ],
    [
      "an automatic key that may downgrade",
      `trustedKeys.deployer.may = [ "deploy" "downgrade" ];`,
      /trustedKeys\.deployer is a key that a program signs with, and may downgrade: take that out/,
    ],
    [
      "an automatic key by another name",
      "trustedKeys.kai.automatic = true;",
      /trustedKeys\.kai .* may downgrade and drift and remove-listener/,
    ],
    [
      "one key under two names",
      `trustedKeys.also.key = "ADO7LPRKHNBGTPG4ZWI3LXIGHZPDIJSDBHB3OXKJ4QUHVJKJ4VQ3QEZM";`,
      /one key under several names \(also, kai\)/,
    ],
    [
      "a builder that orders",
      `trustedKeys.also.key = "ABJHLOVDXNVQ3LNEFNJTZR6QZ5ZO3WBG6XO6QBZDGBOLSYYTT3NSUOLN";`,
      /is in trustedKeys and in trustedBuilders/,
    ],
    [
      "a confirm time that is too short",
      "timeouts.confirm = 29;",
      /timeouts\.confirm is 29 s.*Set it to 30 or more/,
    ],
    ["a limit beyond a day", "timeouts.hold = 86401;", /timeouts must be at most 86400 s/],
    [
      "a repo that is none",
      `repo = lib.mkForce "Nixos_Servers";`,
      /repo is "Nixos_Servers", which is not a repo name/,
    ],
    ["a host that is none", `host = "-web";`, /host is "-web": set it to the name/],
    ["no branch", "allowedBranches = lib.mkForce [ ];", /allowedBranches is empty/],
    ["one generation", "keepGenerations = 1;", /keepGenerations must be at least 2/],
    ["no cache key", "trustedCacheKeys = [ ];", /trustedCacheKeys is empty/],
    ["a check of two kinds", `healthChecks.nginx.tcp = "a:1";`, /healthChecks\.nginx must be exactly one of/],
    ["a check of no kind", "healthChecks.none = { };", /healthChecks\.none must be exactly one of/],
    [
      "a secret in the store",
      `nats.nkeyFile = lib.mkForce "/nix/store/key";`,
      /absolute path outside the Nix store/,
    ],
    ["a right that is none", `trustedKeys.kai.may = [ "everything" ];`, /may.* is not of type/],
    [
      "a time that is none",
      `trustedKeys.kai.notAfter = lib.mkForce "next year";`,
      /notAfter.* is not of type/,
    ],
  ])("%s is refused, with what to do", async (_, lines, reason) => {
    const said = await refusals(`${option} = { ${lines} };`);
    expect(said.join("\n")).toMatch(reason);
    expect(said).toHaveLength(1);
  });

  test("a person may hold a key that is called like a program's", async () => {
    expect(
      await refusals(
        `${option}.trustedKeys.deployer = { automatic = false; may = [ "deploy" "downgrade" ]; };`,
      ),
    ).toEqual([]);
  });

  test.each([
    [
      "system.autoUpgrade",
      "system.autoUpgrade.enable = true;",
      /system\.autoUpgrade\.enable and .* keep one of them/,
    ],
    [
      "the former listener",
      `systemd.services.old-listener.serviceConfig.ExecStart =
        "/nix/store/x-homelab-deploy/bin/homelab-deploy listener --flake-url git+https://git.lan/a --tier prod";`,
      /former listener still runs on this host \(systemd\.services\.old-listener\)/,
    ],
    [
      "the former listener in a script",
      `systemd.services.old-listener.script = "exec homelab-deploy listener --flake-url git+https://git.lan/a";`,
      /former listener still runs/,
    ],
  ])("%s beside it is refused, except while moving over", async (_, lines, reason) => {
    expect((await refusals(lines)).join("\n")).toMatch(reason);
    const migrating = await evaluate(hostWith(`${lines} ${option}.migration = true;`));
    expect(migrating.failed).toEqual([]);
    expect(policyIn(migrating).migration).toBe(true);
  });

  test("it needs Nix, and is not trusted by its daemon", async () => {
    expect(await refusals("nix.enable = false;")).toEqual(
      expect.arrayContaining([expect.stringContaining("nix.enable is false")]),
    );
    expect(await refusals(`nix.settings.trusted-users = [ "homelab-deploy-listener" ];`)).toEqual([
      expect.stringContaining("makes homelab-deploy-listener as good as root"),
    ]);
  });

  test("a builder trusts what it built itself", async () => {
    const both = await evaluate(
      hostWith(`services.homelab-deploy.builder = {
        enable = true; nats.servers = [ "nats://127.0.0.1:4222" ]; settings.repos.a.url = "https://git.lan/a";
      };`),
    );
    expect(both.failed).toEqual([]);
    expect(policyIn(both).trustLocalBuilds).toBe(true);
  });

  test("options of the former listener go on working, or say what took their place", async () => {
    const former = await evaluate(
      hostWith(`${option} = { natsUrl = "nats://old.lan:4222"; hostname = "ns2"; };`),
    );
    expect([former.failed, former.warnings.length]).toEqual([[], 2]);
    expect(policyIn(former)).toMatchObject({
      host: "ns2",
      natsServers: expect.arrayContaining(["nats://old.lan:4222"]),
    });
    const said = await refusals(
      `${option} = { flakeUrl = "git+https://git.lan/a"; tier = "prod"; timeout = 600; };`,
    );
    expect(said).toHaveLength(3);
    expect(said.join("\n")).toMatch(/flakeUrl.*\n?.*activates what the builder built/);
  });

  test("the module listener works alone", async () => {
    expect(await evaluate("{ }", "listener")).toMatchObject({ failed: [], services: {}, files: {} });
    expect((await evaluate(hostFile, "listener")).failed).toEqual([]);
  });
});
